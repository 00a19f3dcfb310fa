"""Traces of every kind of answer: real ChatOpenAI models, a local server that answers as scripted, the real handler."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_logprobs import LogprobsCallbackHandler, Settings
from langchain_logprobs.view.model import SpanData, span_data
from tests.providers.wire import WireServer, json_body
from tests.support import completion, entry, openai_answer

Entries = list[dict[str, Any]]

SERVICE = "gallery"


def said(*pairs: Any) -> Entries:
    """Entries from `(token, probability, (other, probability), ...)`, or a token alone, which is nearly certain."""
    made = []
    for pair in pairs:
        token, probability, *others = (pair, 0.98) if isinstance(pair, str) else pair
        logprob = -9999.0 if probability is None else math.log(probability)
        made.append(entry(token, logprob, *((other, math.log(value)) for other, value in others)))
    return made


SHORT = said(
    "The", " bridge", " at", " Arnhem", " was", " finished", " in",
    (" 1935", 0.41, (" 1936", 0.38), (" 1934", 0.1)),
    (" and", 0.86, (",", 0.1)), " is", (" 2", 0.6, (" 3", 0.3)), (".3", 0.14, (".1", 0.31), (".2", 0.2)),
    " kilometres", " long", ".",
)  # fmt: skip
CENSORED = said("The", " answer", " is", (" forty", None, (" four", 0.9)), ("-two", 0.8), ".")
INVOICE = said(
    '{"', "vendor", '":', ' "', "Acme", (" Tools", 0.7, (" Ltd", 0.3)), '",', ' "', "total", '":', " ",
    ("1", 0.99), ("4", 0.24, ("7", 0.5), ("9", 0.1)), "2", ".", ("50", 0.89), ",", ' "', "currency", '":', ' "',
    ("EUR", 0.16, ("USD", 0.7)), '",', ' "', "paid", '":', (" true", 0.55, (" false", 0.44)), ',\n   "', "limit",
    '": ', "1", "e", "400", "}",
)  # fmt: skip
CJK = said("東京", "は", ("日本", 0.3, ("世界", 0.6)), "の", "首都", ("です", 0.8, ("だ", 0.15)), "。", "🗼")
ARABIC = said("القاهرة", " هي", (" عاصمة", 0.35, (" مدينة", 0.5)), " مصر", (" 1935", 0.15, (" 1936", 0.6)), ".")
CODE = said(
    "```", "python", "\n", "def", " f", "(x", "):", "\n", "    ", "return", " x", (" **", 0.2, (" *", 0.6)), " ",
    ("2", 0.45, ("3", 0.4)), "\n", "```", ("\n\n", 0.3, ("\n", 0.6)), "Done", ".",
)  # fmt: skip
REASONING = said(
    "<think>", "The", " user", (" wants", 0.3, (" asks", 0.6)), " a", " number", ".", "</think>", "\n\n",
    "It", " is", (" 42", 0.45, (" 41", 0.4)), ".",
)  # fmt: skip
HOSTILE = said(
    "</script>", "<script>alert(1)</script>", ("<img src=x onerror=alert(2)>", 0.3, ("</style>", 0.5)), "\x1b[31m",
    ("\u202eevil\u202c", 0.2, ("\u2066x", 0.3)), "\x00", "&amp;", "<!--", "]]>", "\u2028", "a\u200bb", "\ufeff",
)  # fmt: skip
TOOL_CALL = said(
    "<tool_call>", "\n", '{"name": "', "population", '", "arguments": {"', "city", '": "',
    ("Lima", 0.32, ("Bogota", 0.6)), '"}}', "\n", "</tool_call>",
)  # fmt: skip
WORDS = re.findall(
    r"\w+",
    """
the of and to in that is was for with on by as at from it an be this have which or had not are but were one all
their there when can said what about into than only other time new some these two may then do first any my now
such like our over man me even most made after also did many before must through years where much your way well
""",
)


def long_answer(count: int, *, lines: bool = True) -> Entries:
    """Prose of so many tokens, one in thirty of them unsure."""
    dice = random.Random(count)
    pairs: list[Any] = []
    for index in range(count):
        word = (" " if pairs else "") + dice.choice(WORDS)
        word = "\n\n" + word.strip().title() if lines and index % 120 == 119 else word
        others = [(" " + other, 0.3) for other in dice.sample(WORDS, 2)]
        chance = dice.random()
        probability = 0.08 if chance < 0.004 else 0.35 if chance < 0.03 else 0.75 if chance < 0.1 else 0.97
        pairs.append((word, probability, *others) if probability < 0.9 else (word, probability))
    return said(*pairs)


def gallery(exporters: Sequence[SpanExporter] = (), settings: Settings | None = None) -> dict[str, list[SpanData]]:
    """Ask for each kind of answer; return the spans of each by its name.

    Args:
        exporters: Where the spans go too, besides what is returned.
        settings: Of the handler.
    """
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}), shutdown_on_exit=False)
    for exporter in (kept, *exporters):
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    handler = LogprobsCallbackHandler(settings, tracer_provider=provider)
    found = {}
    with WireServer() as wire:
        for name, ask in _PROGRAMS.items():
            kept.clear()
            ask(wire, {"callbacks": [handler]})
            found[name] = [span_data(span) for span in kept.get_finished_spans()]
    provider.shutdown()
    return found


def write_gallery(path: Path) -> dict[str, list[SpanData]]:
    """Write the gallery to a file of OTLP JSON lines."""
    from opentelemetry.exporter.otlp.json.file import FileSpanExporter

    return gallery([FileSpanExporter(path)])


def _model(wire: WireServer, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model="gpt-4o",
        base_url=f"{wire.url}/v1",
        api_key="none",  # type: ignore[arg-type]
        max_retries=0,
        logprobs=True,
        top_logprobs=5,
        **options,
    )


def _chain(model: Any) -> Any:
    return ChatPromptTemplate.from_template("{question}") | model | StrOutputParser()


_QUESTION = {"question": "When was the bridge at Arnhem finished?"}
_PATH = "/v1/chat/completions"


def _streamed(entries: Entries, pause: float = 0.002) -> Callable[[WireServer, Any], None]:
    def ask(wire: WireServer, config: Any) -> None:
        wire.answer(_PATH, openai_answer(entries, pause=pause))
        for _ in _chain(_model(wire)).stream(_QUESTION, config):
            pass

    return ask


def _invoked(entries: Entries, **choice: Any) -> Callable[[WireServer, Any], None]:
    def ask(wire: WireServer, config: Any) -> None:
        wire.answer(_PATH, json_body(completion(entries, **choice)))
        _chain(_model(wire)).invoke(_QUESTION, config)

    return ask


def _structured(wire: WireServer, config: Any) -> None:
    schema = {
        "title": "invoice",
        "type": "object",
        "properties": {"currency": {"enum": ["EUR", "USD"]}, "paid": {"type": "boolean"}},
    }
    wire.answer(_PATH, json_body(completion(INVOICE)))
    model = _model(wire).bind(response_format={"type": "json_schema", "json_schema": {"name": "i", "schema": schema}})
    _chain(model).invoke(_QUESTION, config)


def _tool(wire: WireServer, config: Any) -> None:
    @tool
    def population(city: str) -> str:
        """How many people live in a city."""
        return city

    call = {"id": "call_1", "type": "function", "function": {"name": "population", "arguments": '{"city": "Lima"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    wire.answer(_PATH, json_body(completion(TOOL_CALL, text="", message=message, finish_reason="tool_calls")))
    _model(wire).bind_tools([population]).invoke("How many people live in Lima?", config)


def _choices(wire: WireServer, config: Any) -> None:
    answer = completion(SHORT)
    for index, entries in enumerate(
        (said("In", (" 1936", 0.3, (" 1935", 0.5)), "."), said("Nobody", " knows", ".")), 1
    ):
        answer["choices"].append({**completion(entries)["choices"][0], "index": index})
    wire.answer(_PATH, json_body(answer))
    _model(wire, n=3).invoke("When?", config)


def _error(wire: WireServer, config: Any) -> None:
    wire.answer(_PATH, json_body({"error": {"message": "no such <model>"}}, status=404))
    try:
        _model(wire).invoke("When?", config)
    except Exception:
        return
    raise AssertionError("the server refused, and the model did not notice")


def _missing(wire: WireServer, config: Any) -> None:
    answer = completion(SHORT)
    answer["choices"][0]["logprobs"] = None
    wire.answer(_PATH, json_body(answer))
    _chain(_model(wire)).invoke(_QUESTION, config)


_PROGRAMS: dict[str, Callable[[WireServer, Any], None]] = {
    "short": _streamed(SHORT, pause=0.01),
    "censored": _invoked(CENSORED),
    "json": _structured,
    "tool": _tool,
    "choices": _choices,
    "reasoning": _invoked(REASONING, text="It is 42."),
    "cjk": _invoked(CJK),
    "arabic": _invoked(ARABIC),
    "code": _invoked(CODE),
    "hostile": _invoked(HOSTILE),
    "sure": _invoked(said("Yes", ".")),
    "missing": _missing,
    "error": _error,
    "long": _streamed(long_answer(2000), pause=0.0),
}


if __name__ == "__main__":  # a file to look at
    import sys

    spans = write_gallery(Path(sys.argv[1]))
    print(json.dumps({name: len(found) for name, found in spans.items()}))
