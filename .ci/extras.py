"""Each extra, installed by itself with the wheel into a fresh environment, brings what its part of the package needs.

Called by `make build`, which has built the wheel: `python .ci/extras.py [EXTRA ...]`. The versions are those of
uv.lock.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

USES = {
    "agents": "from langchain_logprobs.agents import ConfidenceMiddleware, confidence_route, review_node",
    "auto": "import opentelemetry.distro, opentelemetry.sdk.trace; import langchain_logprobs.instrumentor",
    "calibrate": "from langchain_logprobs.calibration import calibrate, page_html",
    "compare": "import rich; from langchain_logprobs.tables.intervals import interval_of; interval_of([range(9)], 0.9)",
    "langfuse": "import langfuse",
    "langsmith": "import langsmith",
    "mlflow": "import mlflow",
    "otlp": "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter",
    "phoenix": "import phoenix.client",
    "serve": "import opentelemetry.proto.trace.v1.trace_pb2; import langchain_logprobs.view.page.receiver",
    "view": "from langchain_logprobs.view.terminal.trace import draw_traces",
}
"""What each extra is for, as a program that uses it."""

WITHOUT = """
try:
    from langchain_logprobs.agents import ConfidenceMiddleware
except ImportError as missing:
    assert "langchain-logprobs[agents]" in str(missing), missing
else:
    raise AssertionError("the core brings LangChain's agents")
import langchain_logprobs.tables.make
"""


def run(*command: str | Path, cwd: Path) -> None:
    """Run a command away from the sources; end with it where it fails."""
    done = subprocess.run([str(each) for each in command], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command}:\n{done.stdout}{done.stderr}")


def check(extra: str | None, program: str, wheel: Path) -> None:
    """Install the wheel with an extra alone, or with none, and run a program there."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        python, lock = folder / "env" / "bin" / "python", folder / "lock.txt"
        chosen = ["--extra", extra] if extra else []
        uv = BIN / "uv"
        run(
            uv, "export", "--quiet", "--frozen", "--no-default-groups", "--no-emit-project", *chosen,
            "--output-file", lock, cwd=ROOT,
        )  # fmt: skip
        run(uv, "venv", "--quiet", "--python", sys.executable, folder / "env", cwd=folder)
        run(
            uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "--requirement", lock, wheel,
            cwd=folder,
        )  # fmt: skip
        run(python, "-c", program, cwd=folder)
        print(f"{extra or 'no extra'}: works alone", flush=True)


def main() -> None:
    """Check those that are named, or all."""
    extras = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    )
    if extras != {*USES, "all"}:
        sys.exit(f".ci/extras.py does not know what these are for: {sorted(extras ^ {*USES, 'all'})}")
    (wheel,) = (ROOT / "dist").glob("*.whl")
    if not sys.argv[1:]:
        check(None, WITHOUT, wheel)
    for extra in sys.argv[1:] or USES:
        check(extra, USES[extra], wheel)


if __name__ == "__main__":
    main()
