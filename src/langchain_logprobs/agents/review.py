"""A person looks at an unsure answer: the interrupt, in the form of LangChain's own, and what the decision changes."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langgraph.errors import GraphInterrupt
from langgraph.types import interrupt
from pydantic import TypeAdapter

from langchain_logprobs.agents.doubts import Doubt, Judgement
from langchain_logprobs.agents.plan import MARK, action_of
from langchain_logprobs.telemetry.actions import Action

ANSWER = "answer"
"""The name of the action where it is no tool call that is unsure."""

DECISIONS = ("approve", "edit", "reject")
_REJECTED = "A person looked at this and rejected it. Do not give it again."


class _Item:
    """One thing that a person decides on: a tool call, or the answer as a whole."""

    def __init__(self, message: AIMessage, index: int | None, doubts: Sequence[Doubt], missing: str | None) -> None:
        self.index = index
        call = None if index is None else message.tool_calls[index]
        self.name = ANSWER if call is None else call["name"]
        self.args = dict(call["args"]) if call is not None else _args_of(message)
        self.doubts = doubts
        self.missing = missing

    def request(self) -> dict[str, Any]:
        """Return its action request: LangChain's, and under `unsure` what a program can read."""
        lines = [doubt.about for doubt in self.doubts] + ([self.missing] if self.missing else [])
        what = "The answer" if self.index is None else f"The call of {self.name}"
        return {
            "name": self.name,
            "args": self.args,
            "description": f"{what} is not sure enough:\n" + "\n".join(lines),
            "unsure": [doubt._asdict() for doubt in self.doubts],
        }


def reviewed(
    message: AIMessage, judgement: Judgement, state: Mapping[str, Any]
) -> Generator[Action, None, dict[str, Any]]:
    """Have a person look at a message; yields what is to be written down, returns the change of the state.

    Args:
        message: The model's message.
        judgement: Why.
        state: The graph's state: `structured_response` and the tool messages in `messages` are kept in step.

    Raises:
        GraphInterrupt: The person has not decided yet; the graph stops here and comes again.
        ValueError: The decisions are not those that were asked for.
    """
    items = _items(message, judgement)
    configs = [
        {"action_name": name, "allowed_decisions": list(DECISIONS)} for name in dict.fromkeys(i.name for i in items)
    ]
    try:
        answer = interrupt({"action_requests": [item.request() for item in items], "review_configs": configs})
    except GraphInterrupt:
        yield action_of("interrupt", judgement)
        raise
    decisions = _decisions(answer, len(items))
    for decision in decisions:
        yield action_of(decision["type"], judgement)
    return _applied(message, items, decisions, state)


def _items(message: AIMessage, judgement: Judgement) -> list[_Item]:
    """Return what is to be decided: each tool call with doubts; all of them where it is not known of which."""
    by_call: dict[int | None, list[Doubt]] = {}
    for doubt in judgement.doubts:
        by_call.setdefault(doubt.tool_call, []).append(doubt)
    if judgement.missing is not None:
        for index in range(len(message.tool_calls)):
            by_call.setdefault(index, [])
        if not message.tool_calls:
            by_call.setdefault(None, [])
    return [
        _Item(message, index, by_call[index], judgement.missing)
        for index in sorted(by_call, key=lambda each: -1 if each is None else each)
        if index is None or index < len(message.tool_calls)
    ] or [_Item(message, None, judgement.doubts, judgement.missing)]


def _args_of(message: AIMessage) -> dict[str, Any]:
    """Return an answer as something that can be edited: its JSON object, else its text."""
    try:
        value = json.loads(message.text)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"text": str(message.text)}


def _decisions(answer: Any, count: int) -> list[Mapping[str, Any]]:
    decisions = answer.get("decisions") if isinstance(answer, Mapping) else None
    if not isinstance(decisions, list) or len(decisions) != count:
        raise ValueError(
            f"resume with Command(resume={{'decisions': [...]}}) and {count} decision{'' if count == 1 else 's'}, one "
            "for each of the action_requests, in their order"
        )
    for decision in decisions:
        kind = decision.get("type") if isinstance(decision, Mapping) else None
        if kind not in DECISIONS:
            raise ValueError(f"the decision {decision!r:.200} has none of the types {', '.join(DECISIONS)}")
        if kind == "edit" and not isinstance(_edited(decision), Mapping):
            raise ValueError("an edit needs edited_action={'name': ..., 'args': {...}}")
    return decisions


def _edited(decision: Mapping[str, Any]) -> Any:
    action = decision.get("edited_action")
    return action.get("args") if isinstance(action, Mapping) else None


def _applied(
    message: AIMessage, items: Sequence[_Item], decisions: Sequence[Mapping[str, Any]], state: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the change of the state that the decisions make; the message keeps its id, so that it is replaced."""
    metadata = {name: value for name, value in message.response_metadata.items() if name != MARK}
    changed: dict[str, Any] = {"response_metadata": metadata}
    update: dict[str, Any] = {}
    calls = [cast("ToolCall", dict(call)) for call in message.tool_calls]
    more: list[Any] = []
    for item, decision in zip(items, decisions, strict=True):
        if decision["type"] == "edit":
            args = dict(_edited(decision))
            if item.index is None:
                changed["content"] = args["text"] if set(args) == {"text"} == set(item.args) else _json(args)
            else:
                call = calls[item.index]
                call["args"], call["name"] = args, str(decision["edited_action"].get("name") or item.name)
            if (structured := _structured(item, args, message, state)) is not None:
                update["structured_response"] = structured
                more += _restated(item, calls, state, f"Returning structured response: {structured}", "success")
        elif decision["type"] == "reject":
            said = str(decision.get("message") or _REJECTED)
            if item.index is None:
                more.append(HumanMessage(said))
                update["jump_to"] = "model"
            else:
                told = _restated(item, calls, state, said, "error")
                more += told or [_tool_message(calls[item.index], said, "error")]
            if _is_structured(item, message, state):
                update |= {"structured_response": None, "jump_to": "model"}
    if calls:
        changed["tool_calls"] = calls
    update["messages"] = [message.model_copy(update=changed), *more]
    return update


def _json(args: Mapping[str, Any]) -> str:
    return json.dumps(args, ensure_ascii=False)


def _is_structured(item: _Item, message: AIMessage, state: Mapping[str, Any]) -> bool:
    """Tell whether a decision is about the agent's structured response: the answer, or the tool call that spells it."""
    if state.get("structured_response") is None:
        return False
    return item.index is None or _answered(message.tool_calls[item.index], state) is not None


def _structured(item: _Item, args: dict[str, Any], message: AIMessage, state: Mapping[str, Any]) -> Any:
    """Return the structured response that an edit makes, of the same type as the model's; None where there is none."""
    if not _is_structured(item, message, state):
        return None
    old = state["structured_response"]
    return args if isinstance(old, dict) else TypeAdapter(type(old)).validate_python(args)


def _answered(call: ToolCall, state: Mapping[str, Any]) -> ToolMessage | None:
    """Return the tool message that answers a call already: agents write one where the call is their answer."""
    for each in reversed(state.get("messages", ())):
        if isinstance(each, ToolMessage) and each.tool_call_id == call["id"]:
            return each
    return None


def _restated(
    item: _Item, calls: Sequence[ToolCall], state: Mapping[str, Any], content: str, status: str
) -> list[ToolMessage]:
    """Return the tool message that answers a call already, saying something else; none where none does."""
    old = None if item.index is None else _answered(calls[item.index], state)
    return [] if old is None else [old.model_copy(update={"content": content, "status": status})]


def _tool_message(call: ToolCall, content: str, status: str) -> ToolMessage:
    return ToolMessage(content=content, name=call["name"], tool_call_id=call["id"], status=cast("Any", status))
