"""The scripts of docs/upstream, which are no package: each stands alone, as it would be sent."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "docs" / "upstream"


def script(name: str) -> Any:
    """Load a script of docs/upstream."""
    path = FOLDER / name
    spec = importlib.util.spec_from_file_location(f"upstream_{path.parent.name}_{path.stem}".replace("-", "_"), path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pydantic look for their module there
    spec.loader.exec_module(module)
    return module
