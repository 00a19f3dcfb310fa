"""A FastAPI service with an agent that remembers, and stops for a person where it is unsure.

    python examples/agent_service.py             # starts the service, asks it a few things, and ends
    python examples/agent_service.py --serve     # keeps serving at http://127.0.0.1:8000/docs

POST /chat asks the agent; where it is unsure of a tool call, the answer is 202 with what a person has to decide on.
POST /decide says what the person decided. A conversation is known by its thread, over both.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Response
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from local_model import local_model
from pydantic import BaseModel

from langchain_logprobs import LogprobsCallbackHandler
from langchain_logprobs.agents import ConfidenceMiddleware

PEOPLE = {"Lima": "10,092,000", "Quito": "2,011,388"}


@tool
def population(city: str) -> str:
    """How many people live in a city."""
    return PEOPLE.get(city, "unknown")


class Question(BaseModel):
    """What a user asks in a conversation."""

    thread: str
    text: str


class Decision(BaseModel):
    """What a person decided: one decision for each of the action requests."""

    thread: str
    decisions: list[dict[str, Any]]


def service(model: ChatOpenAI) -> FastAPI:
    """Make the service."""
    # Its arguments are looked at, its words are not. In production, take a checkpointer that outlives the process.
    middleware = ConfidenceMiddleware({"/tool_calls": 0.3}, on_missing="review")
    agent: Any = create_agent(model, [population], middleware=[middleware], checkpointer=InMemorySaver())
    handler = LogprobsCallbackHandler()
    app = FastAPI()

    async def run(given: Any, thread: str, response: Response) -> dict[str, Any]:
        result = await agent.ainvoke(given, {"callbacks": [handler], "configurable": {"thread_id": thread}})
        if interrupts := result.get("__interrupt__"):
            response.status_code = 202
            return {"to_decide": interrupts[0].value["action_requests"]}
        return {"answer": result["messages"][-1].text, "messages": len(result["messages"])}

    @app.post("/chat")
    async def chat(question: Question, response: Response) -> dict[str, Any]:
        return await run({"messages": [("user", question.text)]}, question.thread, response)

    @app.post("/decide")
    async def decide(decision: Decision, response: Response) -> dict[str, Any]:
        return await run(Command(resume={"decisions": decision.decisions}), decision.thread, response)

    return app


@contextmanager
def running(app: FastAPI, port: int) -> Iterator[str]:
    """Run the service for as long as a `with` block; port 0 is any free one."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def ask(client: httpx.Client, text: str) -> None:
    """Ask the service something, and decide as a person would."""
    print(f"user: {text}")
    reply = client.post("/chat", json={"thread": "1", "text": text})
    while reply.status_code == 202:
        decisions = []
        for request in reply.json()["to_decide"]:
            print("  " + request["description"].replace("\n", "\n  "))
            print('  a person: it is {"city": "Lima"}')
            edited = {"name": request["name"], "args": {"city": "Lima"}}
            decisions.append({"type": "edit", "edited_action": edited})
        reply = client.post("/decide", json={"thread": "1", "decisions": decisions})
    reply.raise_for_status()
    print(f"agent: {reply.json()['answer']}  ({reply.json()['messages']} messages in the thread)")


def main() -> None:
    """Start the model and the service, and ask."""
    serve = "--serve" in sys.argv[1:]
    with local_model() as served:
        model = ChatOpenAI(
            model=served.model,
            base_url=served.base_url,
            api_key=served.api_key,
            temperature=0,
            max_completion_tokens=60,
            logprobs=True,
            top_logprobs=5,
        )
        with running(service(model), 8000 if serve else 0) as url:
            if serve:
                print(f"{url}/docs; Ctrl-C ends it")
                threading.Event().wait()
            with httpx.Client(base_url=url, timeout=120) as client:
                ask(client, "How many people live in the capital of Peru?")
                ask(client, "How many was that?")


if __name__ == "__main__":
    main()
