"""How many random cases the tests try: few while somebody works on the code, all of them where a change lands."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import settings

NAMES: Final = ("dev", "ci")

NAME: Final = os.environ.get("LOGPROBS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
"""`ci` tries all cases, and the same ones each time, so that no change is held up by a case that it did not make.
`dev` tries a tenth, unless a test says otherwise: others each time, but not where a change lands."""

if NAME not in NAMES:
    raise ValueError(f"LOGPROBS_PROFILE={NAME!r} is none of {', '.join(NAMES)}.")

settings.register_profile("dev", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile(NAME)


def examples(count: int) -> int:
    """Return how many of a test's random cases are tried.

    Args:
        count: How many are tried where a change lands.
    """
    return count if NAME == "ci" else max(1, count // 10)
