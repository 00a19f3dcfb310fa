"""The methods of a model that send a request, each wrapped so that it asks, hears a refusal, and takes off what came.

What came is handed to our handler beside the answer (formats/carrying.py), below LangChain's cache and before any
callback: no other handler, no cache and no message has it, in whatever order handlers are called.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

from langchain_logprobs.formats.answer import find_container
from langchain_logprobs.formats.carrying import Carrying, without_logprobs
from langchain_logprobs.handler import LogprobsCallbackHandler
from langchain_logprobs.patches.patching import Wrap, guarded
from langchain_logprobs.patches.recovery.collecting import manager_in, watched, watching
from langchain_logprobs.patches.requesting import refusals
from langchain_logprobs.patches.requesting.decided import user_has_decided
from langchain_logprobs.patches.requesting.refusals import Kind
from langchain_logprobs.patches.requesting.ways import Way
from langchain_logprobs.telemetry.process import is_suppressed

_T = TypeVar("_T")
Args: TypeAlias = tuple[Any, ...]

_TRYING_WITHOUT: set[Kind] = set()
"""What is being tried again without asking just now. Others of the same kind are not asked meanwhile."""

_ENDPOINTS = (
    "openai_api_base",
    "azure_endpoint",
    "base_url",
    "endpoint_url",
    "endpoint",
    "api_base",
    "groq_api_base",
    "fireworks_api_base",
    "openrouter_api_base",
    "api_endpoint",
    "url",
)
_MODELS = ("model_name", "model", "model_id", "azure_deployment", "deployment_name", "model_path")


class Asker:
    """What the wrappers of one class share."""

    def __init__(self, way: Way, top: int, *, keep: bool) -> None:
        """Take how the class is asked, for how many alternatives, and whether what comes stays on the messages."""
        self.way: Way = way
        self.top: int = top
        self.keep: bool = keep

    def call(self, model: Any, args: Args, given: dict[str, Any], *, streamed: bool) -> _Call | None:
        """Return the call that we have to do with; None where it goes as it is. Never raises."""
        found: _Call | None = guarded(self.way.distribution, self._call, model, args, given, streamed)
        return found

    def _call(self, model: Any, args: Args, given: dict[str, Any], streamed: bool) -> _Call | None:
        if is_suppressed() or user_has_decided(model, given):
            return None
        if streamed and not self.way.tells_of_tokens and manager_in(args, given) is not None:
            return None
        asks = self.way.ask(model, given, self.top)
        if asks is None:
            return None
        kind = _kind_of(model, given)
        if kind in _TRYING_WITHOUT:  # within the second try of a method that calls this one
            return None
        keep = self.keep and not (streamed and not self.way.mergeable(model))
        return _Call(self.way, model, kind, asks, self.top, keep=keep)


class _Call:
    """One call of a model's method.

    Attributes:
        asked: Whether it asks: not where such calls were refused before.
        refused: Whether it was refused, or would be.
    """

    def __init__(self, way: Way, model: Any, kind: Kind, asks: Mapping[str, Any], top: int, *, keep: bool) -> None:
        self._way, self._model, self._kind, self._asks, self._top, self._keep = way, model, kind, asks, top, keep
        self._answered = False
        self._refusal = ""
        self.refused: bool = refusals.is_refused(kind)
        self.asked: bool = not self.refused

    def make(self, original: Callable[..., Any], args: Args, kwargs: dict[str, Any], *, awaited: bool) -> Any:
        """Call the method so that it asks. Token callbacks that it makes itself get what is left of their chunk."""
        self._tell(args, kwargs)
        if not self.asked:
            return original(self._model, *args, **kwargs)
        args, kwargs, _ = watching(args, kwargs, lambda manager: watched(manager, self.take, asynchronous=awaited))
        if self._way.on_model:
            return original(self._model.model_copy(update=dict(self._asks)), *args, **kwargs)
        return original(self._model, *args, **{**kwargs, **self._asks})

    def _tell(self, args: Args, kwargs: dict[str, Any]) -> None:
        """Tell our handlers of what becomes of this call, where its run is known: not in every stream."""
        manager = manager_in(args, kwargs)
        for handler in getattr(manager, "handlers", ()):
            if isinstance(handler, LogprobsCallbackHandler):
                told = Carrying({}, None, self._top if self.asked else 0, refused=self.refused)
                guarded(self._way.distribution, handler.note_requested, manager.run_id, told)

    def take(self, answer: _T) -> _T:
        """Take what came off an answer, which is a chunk, or a result with Generations; returns it."""
        if not self.refused and not self._answered:
            refusals.accept(self._kind)
        self._answered = True
        guarded(self._way.distribution, self._take, answer)
        return answer

    def _take(self, answer: Any) -> None:
        generations = getattr(answer, "generations", None)
        for each in [answer] if generations is None else generations:
            for generation in each if isinstance(each, list) else [each]:
                self._take_one(generation)

    def _take_one(self, generation: Any) -> None:
        info = generation.generation_info or {}
        if isinstance(info, Carrying):  # a token callback was before
            return
        requested = self._top if self.asked else 0
        if self._keep or self.refused:
            generation.generation_info = Carrying(info, None, requested, refused=self.refused)
            return
        message = getattr(generation, "message", None)
        container = find_container(info, message)
        generation.generation_info = Carrying(without_logprobs(info), container, requested)
        for name in ("response_metadata", "additional_kwargs"):
            if metadata := getattr(message, name, None):
                setattr(message, name, without_logprobs(metadata))

    def failed(self, error: BaseException) -> bool:
        """Tell of a failure whether the call is to be made again without asking; if not, it says that we asked."""
        if not self.asked or self.refused:
            return False
        if (
            isinstance(error, Exception)
            and not self._answered
            and guarded(self._way.distribution, refusals.may_be_refusal, self._kind, error)
        ):
            self._refusal = type(error).__name__  # not the error itself, which holds its frames, and they it
            return True
        with contextlib.suppress(Exception):
            error.langchain_logprobs_requested = self._top  # type: ignore[attr-defined]
        return False

    @contextlib.contextmanager
    def without_asking(self, args: Args, kwargs: dict[str, Any]) -> Iterator[None]:
        """For the second try. Meanwhile nobody asks, not even the methods that this one calls."""
        before = refusals.refuse(self._kind)
        self.refused = True
        self._tell(args, kwargs)
        _TRYING_WITHOUT.add(self._kind)
        try:
            yield
        except Exception:
            if not self._answered:
                refusals.take_back(self._kind, before)
            raise
        finally:
            _TRYING_WITHOUT.discard(self._kind)
            if self._answered and before != "refuses":
                refusals.say(self._kind, self._refusal)


def _generates(asker: Asker) -> Wrap:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def generate(model: Any, /, *args: Any, **kwargs: Any) -> Any:
            call = asker.call(model, args, kwargs, streamed=False)
            if call is None:
                return original(model, *args, **kwargs)
            try:
                return call.take(call.make(original, args, kwargs, awaited=False))
            except BaseException as error:
                if not call.failed(error):
                    raise
            with call.without_asking(args, kwargs):
                return call.take(original(model, *args, **kwargs))

        return generate

    return wrap


def _agenerates(asker: Asker) -> Wrap:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        async def generate(model: Any, /, *args: Any, **kwargs: Any) -> Any:
            call = asker.call(model, args, kwargs, streamed=False)
            if call is None:
                return await original(model, *args, **kwargs)
            try:
                return call.take(await call.make(original, args, kwargs, awaited=True))
            except BaseException as error:
                if not call.failed(error):
                    raise
            with call.without_asking(args, kwargs):
                return call.take(await original(model, *args, **kwargs))

        return generate

    return wrap


def _streams(asker: Asker) -> Wrap:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def stream(model: Any, /, *args: Any, **kwargs: Any) -> Iterator[Any]:
            call = asker.call(model, args, kwargs, streamed=True)
            if call is None:
                yield from original(model, *args, **kwargs)
                return
            try:
                with _closing(call.make(original, args, kwargs, awaited=False)) as chunks:
                    for chunk in chunks:
                        yield call.take(chunk)
                return
            except BaseException as error:
                if not call.failed(error):
                    raise
            with call.without_asking(args, kwargs), _closing(original(model, *args, **kwargs)) as chunks:
                for chunk in chunks:
                    yield call.take(chunk)

        return stream

    return wrap


def _astreams(asker: Asker) -> Wrap:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        async def stream(model: Any, /, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            call = asker.call(model, args, kwargs, streamed=True)
            if call is None:
                async with _aclosing(original(model, *args, **kwargs)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                return
            try:
                async with _aclosing(call.make(original, args, kwargs, awaited=True)) as chunks:
                    async for chunk in chunks:
                        yield call.take(chunk)
                return
            except BaseException as error:
                if not call.failed(error):
                    raise
            with call.without_asking(args, kwargs):
                async with _aclosing(original(model, *args, **kwargs)) as chunks:
                    async for chunk in chunks:
                        yield call.take(chunk)

        return stream

    return wrap


WRAPS: Mapping[str, Callable[[Asker], Wrap]] = {
    "_generate": _generates,
    "_agenerate": _agenerates,
    "_stream": _streams,
    "_astream": _astreams,
    "_stream_responses": _streams,
    "_astream_responses": _astreams,
}
"""The methods by their names. Those of the Responses API are langchain-openai's, which calls them without `_stream`."""


@contextlib.contextmanager
def _closing(made: Iterable[Any]) -> Iterator[Iterable[Any]]:
    """Close an iterator at the end of a block, where it can be closed."""
    try:
        yield made
    finally:
        if (close := getattr(made, "close", None)) is not None:
            close()


@contextlib.asynccontextmanager
async def _aclosing(made: AsyncIterable[Any]) -> AsyncIterator[AsyncIterable[Any]]:
    try:
        yield made
    finally:
        if (close := getattr(made, "aclose", None)) is not None:
            await close()


def _kind_of(model: Any, given: Mapping[str, Any]) -> Kind:
    effort = given.get("reasoning") or given.get("reasoning_effort") or getattr(model, "reasoning_effort", None)
    return Kind(
        class_name=type(model).__name__,
        endpoint=_first(model, _ENDPOINTS),
        model=str(given.get("model") or _first(model, _MODELS)),
        with_tools=bool(given.get("tools") or given.get("functions")),
        reasoning=str(effort or getattr(model, "reasoning", None) or ""),
    )


def _first(model: Any, names: tuple[str, ...]) -> str:
    """Return the first of these fields of a model that is set. Properties are left alone: some warn of their use."""
    fields = type(model).model_fields
    return next((str(value) for name in names if name in fields and (value := getattr(model, name, None))), "")
