"""Installs the wheel in dist/ as a user would, on every Python that it is for, and tries it: `python .ci/wheels.py`.

For each version among the classifiers of pyproject.toml: the core alone, and all extras, as uv.lock has them. A Python
that this machine does not have and cannot get is named and left out; `--required 3.11 ...` makes that a failure.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv" / "bin" / "uv"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSIONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))

CORE = """
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
import langchain_logprobs
from langchain_logprobs import *
logprobs = {"content": [{"token": "Lima", "logprob": -0.03, "top_logprobs": []}]}
model = GenericFakeChatModel(messages=iter([AIMessage("Lima", response_metadata={"logprobs": logprobs})]))
reports = []
handler = LogprobsCallbackHandler(on_call=lambda call: reports.append(call.report))
model.invoke("Peru?", config={"callbacks": [handler]})
assert [(report.status, report.level) for report in reports] == [("recorded", "high")]
assert langchain_logprobs.__version__ != "0+unknown"
"""


def python_of(version: str) -> str | None:
    """Return an interpreter of a version: from the path, from pyenv, or downloaded by uv; None where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [
        _said(str(UV), "python", "find", "--no-python-downloads", "--system", version),
        *(str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python{version}"))),
    ]
    for candidate in candidates:
        if candidate and _said(candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])") == version:
            return candidate
    _said(str(UV), "python", "install", "--quiet", version, timeout=300)
    return _said(str(UV), "python", "find", "--no-python-downloads", "--managed-python", version) or None


def _said(*command: str, timeout: float = 60) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def try_wheel(wheel: Path, python: str, folder: Path) -> None:
    """Install and try it.

    Raises:
        subprocess.CalledProcessError: A command failed.
        AssertionError: The doctor does not say what is so.
    """
    for extras in (False, True):
        env = folder / ("all" if extras else "core")
        pins = env.with_suffix(".txt")
        export = [
            "export",
            "--quiet",
            "--frozen",
            "--no-default-groups",
            "--no-emit-project",
            "--output-file",
            str(pins),
        ]
        _run(str(UV), *export, *(["--all-extras"] if extras else []), cwd=ROOT)
        _run(str(UV), "venv", "--quiet", "--python", python, str(env))
        install = ["pip", "install", "--quiet", "--python", str(env / "bin" / "python")]
        _run(str(UV), *install, "--no-deps", "--requirement", str(pins), str(wheel))
        _run(str(UV), "pip", "check", "--quiet", "--python", str(env / "bin" / "python"))
        _run(str(env / "bin" / "python"), "-I", "-c", CORE, cwd=folder)
        doctor = [str(env / "bin" / "langchain-logprobs"), "doctor", "--no-send"]
        done = subprocess.run(doctor, cwd=folder, capture_output=True, text=True, check=False)
        missing = "opentelemetry-sdk is missing" in done.stdout
        assert (done.returncode, missing) == ((0, False) if extras else (1, True)), done.stdout + done.stderr


def _run(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True)


def main(arguments: list[str]) -> int:
    """Try every Python; return 1 where one that is required cannot be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--required", nargs="*", default=[], metavar="VERSION", help="which of them must be there")
    options = parser.parse_args(arguments)
    (wheel,) = (ROOT / "dist").glob("*.whl")
    code = 0
    for version in VERSIONS:
        start = time.monotonic()
        python = python_of(version)
        if python is None:
            print(f"Python {version} cannot be had here, and the wheel was not tried on it")
            code |= version in options.required
            continue
        folder = Path(tempfile.mkdtemp(prefix="wheel-"))
        try:
            try_wheel(wheel, python, folder)
        finally:
            shutil.rmtree(folder)
        print(f"Python {version}: the core and all extras install and run ({time.monotonic() - start:.0f} s)")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
