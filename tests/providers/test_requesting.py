"""Every integration is asked in its own way, with nothing in the code that asks; what came is on no message after."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel

from langchain_logprobs import LogprobsInstrumentor, Settings, read_logprobs
from langchain_logprobs.patches.requesting import refusals
from langchain_logprobs.patches.requesting.ways import WAYS
from tests.providers import answers
from tests.providers.row import MISSING, RECORDED, Row
from tests.providers.table import ROWS
from tests.providers.test_providers import PATHS, call, parameters, status_of
from tests.providers.wire import Body, Request, WireServer, json_body
from tests.support import Traced

pytestmark = pytest.mark.filterwarnings("ignore:.* is in beta")

NOT_ASKED = {
    "ChatMistralAI": "drops them and cannot be patched",
    "ChatPerplexity": "drops them and cannot be patched",
    "ChatBedrockConverse": "drops them and cannot be patched",
    "Fireworks": "drops them and cannot be patched",
    "VLLM": "drops them and cannot be patched",
    "Together": "does not send the flag",
    "ChatAnthropic": "its API has none",
    "HuggingFaceEndpoint": "there is no way to ask",
    "HuggingFacePipeline": "there is no way to ask",
}


def comes(row: Row, path: str) -> bool:
    """Whether logprobs reach our handler on this path of a row, if they are asked for."""
    if row.name == "ChatHuggingFace":  # its other row binds what the constructor does not send
        return True
    if row.name == "ChatLlama" and path.endswith("v3"):
        return False
    return row.name not in NOT_ASKED and (bool(row.recovery) or status_of(row, path) != MISSING)


@pytest.fixture
def wire() -> Iterator[WireServer]:
    refusals._known.clear()
    with WireServer() as server:
        yield server


@pytest.fixture
def traced() -> Iterator[Traced]:
    traced = Traced(Settings(request_logprobs=2))
    LogprobsInstrumentor().instrument(Settings(request_logprobs=2), tracer_provider=traced.provider)
    yield traced
    LogprobsInstrumentor().uninstrument()


def stand_in(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(row.module)
    for name, make in row.stands_in.items():
        monkeypatch.setitem(sys.modules, name, make())


def test_every_row_that_can_be_asked_has_a_way() -> None:
    owners = {way.owner for way in WAYS}
    families = {"ChatOpenAI", "AzureChatOpenAI", "ChatDeepSeek", "ChatXAI", "ChatTogether", "ChatOpenAIMantle",
                "ChatUpstage", "AzureAIOpenAIApiChatModel", "OpenAI"}  # fmt: skip
    for row in ROWS:
        assert (row.name in owners or row.name in families) != (row.name in NOT_ASKED), row.name


@pytest.mark.parametrize(("row", "path"), parameters(list(ROWS), PATHS))
def test_asked_with_nothing_in_the_code(
    row: Row, path: str, wire: WireServer, traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path.endswith("v3") and not hasattr(BaseChatModel, "stream_events"):
        pytest.skip("this langchain-core has no streaming v3 yet")
    stand_in(row, monkeypatch)
    wire.answer("*", row.serve)
    call(row.make(wire.url, ask=False), path, traced.handler)
    said = traced.call.attributes
    if not comes(row, path):
        assert said["logprobs.status"] == "not_requested"
        assert "logprobs.requested" not in said
        assert not any(asking(wire))
        return
    assert said["logprobs.status"] == RECORDED
    assert said["logprobs.requested"] == 2
    assert said["logprobs.tokens"] == answers.TOKENS
    assert said["logprobs.values"] == pytest.approx(answers.VALUES, rel=1e-6)


def answered(model: Any, path: str) -> list[Any]:
    return [model.invoke("hi")] if path == "invoke" else [*model.stream("hi")]


def whole(answer: list[Any]) -> Any:
    return reduce(add, answer)


def metadata(message: Any) -> dict[str, Any]:
    """A message's metadata without what differs from call to call, or is empty. Gemini's average is one number."""
    ours = {"total_duration", "id", "request_id", "avg_logprobs", "ResponseMetadata", "logprobs_result"}
    return {key: value for key, value in message.response_metadata.items() if value and key not in ours}


@pytest.mark.parametrize(("row", "path"), parameters(list(ROWS), ("invoke", "stream")))
def test_the_answer_is_as_if_nobody_had_asked(
    row: Row, path: str, wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(row, monkeypatch)
    if not comes(row, path):
        pytest.skip("nothing is asked")
    wire.answer("*", row.serve)
    model = row.make(wire.url, ask=False)
    before = answered(model, path)
    traced = Traced()
    LogprobsInstrumentor().instrument(Settings(request_logprobs=2), tracer_provider=traced.provider)
    try:
        after = answered(model, path)
    finally:
        LogprobsInstrumentor().uninstrument()
    assert traced.call.attributes["logprobs.status"] == RECORDED
    assert len(after) == len(before)
    old, new = whole(before), whole(after)
    if isinstance(old, str):
        assert new == old
    else:
        assert new.content == old.content
        assert read_logprobs(new) == [[]]
        assert metadata(new) == metadata(old)
    assert answered(model, path)
    assert not any(asking(wire)[-1:])  # it is over


ASKS = re.compile(rb'logprobs"?\s*:\s*(true|\d)|text\.logprobs', re.IGNORECASE)


def asking(wire: WireServer) -> list[bool]:
    """Of each request, whether it asks for logprobs; some say that they do not."""
    return [ASKS.search(request.body) is not None for request in wire.requests]


def refuses(row: Row, body: Any, status: int) -> Callable[[Request], Body]:
    def answer(request: Request) -> Body:
        if ASKS.search(request.body):
            return json_body(body, status=status)
        return row.serve(request) if callable(row.serve) else row.serve

    return answer


OPENAI_ERROR = {"error": {"message": "You are not allowed to request logprobs from this model.", "code": 400}}


@pytest.mark.parametrize(
    ("row", "path"),
    parameters([row for row in ROWS if not row.stands_in], ("invoke", "ainvoke", "stream", "astream")),
)
def test_a_refusal_costs_one_request_once(
    row: Row, path: str, wire: WireServer, traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(row, monkeypatch)
    if not comes(row, path):
        pytest.skip("nothing is asked")
    wire.answer("*", refuses(row, OPENAI_ERROR, 400))
    call(row.make(wire.url, ask=False), path, traced.handler)
    said = traced.call.attributes
    assert said["logprobs.status"] == "missing"
    assert "refused" in said["logprobs.status.reason"]
    assert said["logprobs.requested"] == 2
    assert asking(wire).count(True) == 1
    traced.exporter.clear()
    call(row.make(wire.url, ask=False), path, traced.handler)  # another: some clients stay with an event loop
    said = traced.call.attributes
    assert said["logprobs.status"] == "not_requested"
    assert "refused" in said["logprobs.status.reason"]
    assert asking(wire).count(True) == 1
