"""Which warnings fail a test: those of our own modules."""

from __future__ import annotations

import gc
import warnings
from typing import Any

import pytest

import langchain_logprobs
from langchain_logprobs import settings
from tests import support

# A deprecated function of a package that is not ours; as usual, it puts its warning down to its caller.
THEIRS: dict[str, Any] = {"__name__": "somebodys_package.api"}
exec(
    """
import warnings
def deprecated(): warnings.warn("use the other one", DeprecationWarning, stacklevel=2)
def ours_of_old(): deprecated()
""",
    THEIRS,
)


@pytest.mark.parametrize("category", [DeprecationWarning, PendingDeprecationWarning, UserWarning, FutureWarning])
@pytest.mark.parametrize(
    "module",
    [
        langchain_logprobs.__name__,
        settings.__name__,
        "langchain_logprobs.telemetry.layout",
        __name__,
        support.__name__,
        "tests.providers.making",
        "local_model",
    ],
)
def test_a_warning_of_our_own_modules_is_an_error(module: str, category: type[Warning]) -> None:
    with pytest.raises(category, match="outdated"):
        exec("import warnings; warnings.warn('outdated', category)", {"__name__": module, "category": category})


@pytest.mark.parametrize("category", [DeprecationWarning, PendingDeprecationWarning, UserWarning, FutureWarning])
@pytest.mark.parametrize(
    "module",
    ["litellm.types", "pydantic._internal", "langchain_core.runnables", "langchain_logprobs_of_others", "test"],
)
def test_a_warning_of_other_modules_is_shown(module: str, category: type[Warning]) -> None:
    with warnings.catch_warnings(record=True) as shown:
        exec("import warnings; warnings.warn('outdated', category)", {"__name__": module, "category": category})
    assert [(each.category, str(each.message)) for each in shown] == [(category, "outdated")]


def test_a_deprecated_function_is_an_error_where_we_call_it() -> None:
    with pytest.raises(DeprecationWarning, match="use the other one"):
        THEIRS["deprecated"]()
    with pytest.raises(DeprecationWarning, match="use the other one"):
        exec("deprecated()", {"__name__": "langchain_logprobs.handler", "deprecated": THEIRS["deprecated"]})


def test_a_deprecated_function_that_others_call_is_shown() -> None:
    with warnings.catch_warnings(record=True) as shown:
        THEIRS["ours_of_old"]()
    assert len(shown) == 1


def test_what_is_left_behind_is_an_error_wherever_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = []
    monkeypatch.setattr("sys.unraisablehook", lambda found: lost.append(found.exc_type))
    exec("async def forgotten(): pass\nforgotten()\nopen(path)", {"__name__": "somebodys_package", "path": __file__})
    gc.collect()
    assert lost == [RuntimeWarning, ResourceWarning]
