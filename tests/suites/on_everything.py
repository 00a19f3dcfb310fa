"""A plugin of pytest: our handler on everything that a test run calls, and what became of its spans at the end."""

from __future__ import annotations

import gc
import json
import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from langchain_logprobs import LogprobsInstrumentor, Settings


class Counting(SpanProcessor):
    """Counts spans, and keeps none."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.started = 0
        self.ended = 0
        self.reasons: Counter[str] = Counter()

    def on_start(self, *args: Any, **kwargs: Any) -> None:
        """Count one."""
        self.started += 1

    def on_end(self, span: ReadableSpan) -> None:
        """Count one, and why it is not whole."""
        self.ended += 1
        reason = str((span.attributes or {}).get("logprobs.status.reason", ""))
        if "abandoned" in reason:
            self.reasons[reason] += 1


class Lines(logging.Handler):
    """Counts our log lines that say that something failed."""

    def __init__(self) -> None:
        """Listen to warnings and what is worse."""
        super().__init__(logging.WARNING)
        self.found: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one."""
        self.found[record.getMessage()[:200]] += 1


counting, lines = Counting(), Lines()
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(counting)
logging.getLogger("langchain_logprobs").addHandler(lines)
instrumentor = LogprobsInstrumentor()
instrumentor.instrument(settings=Settings(capture_messages=True), tracer_provider=provider)


def pytest_sessionfinish() -> None:
    """Write what was seen to a file of this process's own, in the folder that the environment names."""
    gc.collect()
    handler = instrumentor.handler
    left = 0
    if handler is not None:
        left = handler.open_runs
        handler.close()
    seen = {
        "started": counting.started,
        "ended": counting.ended,
        "left": left,
        "reasons": dict(counting.reasons),
        "lines": dict(lines.found),
    }
    folder = Path(os.environ["LOGPROBS_SUITES_SEEN"])
    (folder / f"{os.getpid()}.json").write_text(json.dumps(seen))
