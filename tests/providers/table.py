"""Every integration's row: how to make it, how to ask it for logprobs, and what comes back on each path.

The rows drive test_providers.py and the page docs/providers.md (docs/generate_providers.py). Adding an integration is
adding a row, and its package to one of the requirements files beside this one: each is one environment, because not
all integrations can be installed together.
"""

from __future__ import annotations

from tests.providers import chat_models, completion_models
from tests.providers.row import Row

ROWS: tuple[Row, ...] = (*chat_models.ROWS, *completion_models.ROWS)
