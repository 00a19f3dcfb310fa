"""A callback handler that records what LangChain hands to callbacks, and the files that hold such recordings."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from .codec import decode, encode

DATA = Path(__file__).parent / "data"

CALLBACKS = (
    "on_chat_model_start", "on_llm_start", "on_llm_new_token", "on_llm_end", "on_llm_error",
    "on_chain_start", "on_chain_end", "on_chain_error", "on_tool_start", "on_tool_end", "on_tool_error",
    "on_retriever_start", "on_retriever_end", "on_retriever_error", "on_retry", "on_text", "on_custom_event",
    "on_agent_action", "on_agent_finish", "on_stream_event",
)  # fmt: skip

_SHARED = "$="

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LOCAL = re.compile(r"(127\.0\.0\.1|localhost):\d+")
_INSTALLED = re.compile(r"/[^\s'\"]*/site-packages/")
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")


class Event(NamedTuple):
    """One callback that LangChain called: its name and its arguments."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Record(NamedTuple):
    """One thing that a program did with a model: the callbacks that came of it, and what the program got.

    Attributes:
        name: What was done; a name of its own in its file.
        encoded: The callbacks in order and what was returned, encoded.
    """

    name: str
    encoded: dict[str, Any]

    def events(self) -> list[Event]:
        """Return the callbacks in order; new objects each time."""
        return [Event(name, tuple(decode(args)), decode(kwargs)) for name, args, kwargs in self.encoded["events"]]

    def returned(self) -> Any:
        """Return what the program got: an answer, merged where it was streamed; None where it got an error."""
        return decode(self.encoded["returned"])


class CallbackRecorder(BaseCallbackHandler):
    """Records every callback at the moment when it is called: LangChain changes some objects afterwards."""

    run_inline = True
    raise_error = True

    def __init__(self) -> None:
        self.events: list[list[Any]] = []
        self._lock = threading.Lock()

    def _record(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        with self._lock:
            self.events.append([name, encode(list(args)), encode(kwargs)])

    def record(self, name: str, returned: Any = None) -> Record:
        """Return what was recorded: ids and ports replaced, so that they do not differ from run to run.

        Args:
            name: What the record is to be called.
            returned: What the program got.
        """
        return Record(name, anonymous({"events": self.events, "returned": encode(returned)}))


def _recording(name: str) -> Callable[..., None]:
    def callback(self: CallbackRecorder, *args: Any, **kwargs: Any) -> None:
        self._record(name, args, kwargs)

    return callback


for _name in CALLBACKS:
    setattr(CallbackRecorder, _name, _recording(_name))


def anonymous(encoded: Any) -> Any:
    """Replace what is of one run and one machine: UUIDs (by the number of their first appearance), ports, addresses."""
    seen: dict[str, str] = {}

    def ordinal(found: re.Match[str]) -> str:
        return seen.setdefault(found[0], str(UUID(int=len(seen) + 1)))

    text = _UUID.sub(ordinal, json.dumps(encoded))
    text = _ADDRESS.sub("0x0", _INSTALLED.sub("site-packages/", text))
    return json.loads(_LOCAL.sub(r"\1:8000", text))


def load_records(name: str) -> list[Record]:
    """Return the records of one file of `data/`, by its name without the ending."""
    content = read_json(DATA / f"{name}.json.gz")
    shared: list[Any] = []
    for part in content["shared"]:
        shared.append(_filled_in(part, shared))
    return [Record(name, _filled_in(encoded, shared)) for name, encoded in content["records"].items()]


def save_records(name: str, records: Iterable[Record]) -> None:
    """Write records to a file of `data/`."""
    encoded = {record.name: record.encoded for record in records}
    counts: Counter[str] = Counter()
    _count(encoded, counts)
    shared: dict[str, int] = {}
    parts: list[Any] = []

    def shortened(value: Any) -> Any:
        """Put a number in the place of each mapping that comes more than once: streams have all logprobs twice."""
        if isinstance(value, list):
            return [shortened(item) for item in value]
        if not isinstance(value, dict):
            return value
        text = json.dumps(value)
        if counts[text] > 1 and text not in shared:
            parts.append({key: shortened(item) for key, item in value.items()})
            shared[text] = len(parts) - 1
        return {_SHARED: shared[text]} if text in shared else {key: shortened(item) for key, item in value.items()}

    write_json(DATA / f"{name}.json.gz", {"records": shortened(encoded), "shared": parts})


def _count(value: Any, counts: Counter[str]) -> None:
    """Count the mappings that are worth writing once only."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _count(item, counts)
    if isinstance(value, dict) and len(text := json.dumps(value)) > 100:
        counts[text] += 1


def _filled_in(value: Any, shared: list[Any]) -> Any:
    if isinstance(value, list):
        return [_filled_in(item, shared) for item in value]
    if not isinstance(value, dict):
        return value
    if _SHARED in value:
        return shared[value[_SHARED]]
    return {key: _filled_in(item, shared) for key, item in value.items()}


def read_json(path: Path) -> Any:
    """Read a file that write_json has written."""
    return json.loads(gzip.decompress(path.read_bytes()))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write compressed JSON; the same value gives the same bytes."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
