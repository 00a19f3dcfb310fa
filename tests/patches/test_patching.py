"""How patches are applied, counted and taken off: tried on a small stand-in for an integration."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from langchain_logprobs.patches import patching
from langchain_logprobs.patches.patching import Patch, Replacement
from langchain_logprobs.patches.recovery import dropped_by, recover_dropped_logprobs


class Model:
    """Stands in for an integration's class."""

    def inherited(self) -> str:
        return "inherited"


class ChatModel(Model):
    """Stands in for an integration's class."""

    def answer(self, question: str) -> list[str]:
        return [question]


def marking(original: Any) -> Any:
    return lambda *args: [*original(*args), "patched"]


def patch(owner: Any, *names: str, distribution: str = "pytest", first: str = "1", below: str = "99999") -> Patch:
    return Patch(
        integration="stand_in",
        distribution=distribution,
        first=first,
        below=below,
        replacements=lambda: [Replacement(owner, name, marking) for name in names],
        models=frozenset(),
    )


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patching, "_said", set())


def test_two_callers_patch_once_and_the_last_one_takes_it_off() -> None:
    each = patch(ChatModel, "answer")
    original = ChatModel.answer
    assert patching.apply(each)
    assert patching.apply(each)
    assert ChatModel().answer("a") == ["a", "patched"]
    patching.release(each)
    assert ChatModel().answer("a") == ["a", "patched"]
    patching.release(each)
    assert ChatModel.answer is original
    assert patching.apply(each)
    assert ChatModel().answer("a") == ["a", "patched"]
    patching.release(each)
    assert ChatModel.answer is original


def test_a_replaced_method_looks_like_the_original() -> None:
    """LangChain reads signatures, for example to see whether a method takes a run_manager."""
    signature = inspect.signature(ChatModel.answer)
    each = patch(ChatModel, "answer")
    patching.apply(each)
    try:
        assert inspect.signature(ChatModel.answer) == signature
        assert ChatModel.answer.__name__ == "answer"
    finally:
        patching.release(each)


def test_an_inherited_method_is_inherited_again_afterwards() -> None:
    each = patch(ChatModel, "inherited")
    patching.apply(each)
    assert ChatModel().inherited() == [*"inherited", "patched"]
    assert Model().inherited() == "inherited"
    patching.release(each)
    assert "inherited" not in vars(ChatModel)


def test_a_wrapper_that_somebody_put_over_ours_stays() -> None:
    module = SimpleNamespace(answer=lambda question: [question])
    each = patch(module, "answer")
    patching.apply(each)
    ours = module.answer
    module.answer = lambda question: [*ours(question), "theirs"]
    assert module.answer("a") == ["a", "patched", "theirs"]
    patching.release(each)
    assert module.answer("a") == ["a", "theirs"]
    patching.apply(each)
    assert module.answer("a") == ["a", "theirs", "patched"]
    patching.release(each)


@pytest.mark.parametrize(
    ("version", "tested"),
    [
        ("1.0.2", False),
        ("1.0.3", True),
        ("1.0.3.post1", True),
        ("1.7.4", True),
        ("1.7.4+local.1", True),
        ("1.7.5rc1", True),
        ("1.7.99", True),
        ("1.8", False),
        ("1.8.0", False),
        ("1.8.0rc1", False),
        ("1.8.0.dev3", False),
        ("1.8+local", False),
        ("1.10.0", False),
        ("2.0", False),
        ("1!1.5", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_the_tested_range(version: str, tested: bool) -> None:
    assert patch(ChatModel, first="1.0.3", below="1.8").tested_with(version) is tested


def test_an_untested_version_is_left_alone_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    each = patch(ChatModel, "answer", below="2")
    assert [patching.apply(each), patching.apply(each)] == [False, False]
    assert ChatModel().answer("a") == ["a"]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("langchain_logprobs", logging.WARNING)
    assert "tested with >=1,<2" in record.getMessage()


def test_a_package_that_is_not_installed_is_named(caplog: pytest.LogCaptureFixture) -> None:
    assert patching.apply(patch(ChatModel, "answer", distribution="langchain-no-such-package")) is False
    assert [record.getMessage() for record in caplog.records] == [
        "langchain-no-such-package is not installed: no logprobs of it to recover"
    ]


def test_a_patch_that_does_not_fit_is_not_applied_by_half(caplog: pytest.LogCaptureFixture) -> None:
    """Upstream may rename what a patch replaces within the tested range."""
    original = ChatModel.answer
    assert patching.apply(patch(ChatModel, "answer", "renamed_since")) is False
    assert ChatModel.answer is original
    (record,) = caplog.records
    assert "renamed_since" in record.getMessage()


def test_an_unknown_name_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(ValueError, match="unknown integration 'openai': use any of openai_responses, google_genai"):
        recover_dropped_logprobs("google_genai", "openai")


def test_undoing_twice_undoes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from langchain_logprobs.patches import recovery

    each = patch(ChatModel, "answer")
    original = ChatModel.answer
    monkeypatch.setattr(recovery, "_PATCHES", {"stand_in": each})
    first, second = recover_dropped_logprobs(), recover_dropped_logprobs("stand_in", "stand_in")
    first()
    first()
    assert ChatModel().answer("a") == ["a", "patched"]
    second()
    assert ChatModel.answer is original


def test_without_names_only_what_is_installed_is_patched(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from langchain_logprobs.patches import recovery

    missing = patch(ChatModel, "answer", distribution="langchain-no-such-package")
    monkeypatch.setattr(recovery, "_PATCHES", {"stand_in": missing})
    recover_dropped_logprobs()()
    assert not caplog.records


def test_the_hint_for_a_model_class() -> None:
    assert dropped_by("ChatGoogleGenerativeAI") == "google_genai"
    assert dropped_by("ChatAnthropic") is None


def test_no_hint_for_what_is_recovered_already(monkeypatch: pytest.MonkeyPatch) -> None:
    from langchain_logprobs.patches import recovery

    each = dataclasses.replace(patch(ChatModel, "answer"), models=frozenset({"ChatModel"}))
    monkeypatch.setattr(recovery, "_PATCHES", {"stand_in": each})
    assert dropped_by("ChatModel") == "stand_in"
    undo = recover_dropped_logprobs()
    assert dropped_by("ChatModel") is None
    undo()
    assert dropped_by("ChatModel") == "stand_in"


def test_the_documentation_names_the_tested_versions() -> None:
    from langchain_logprobs.patches import recovery

    documentation = (Path(__file__).parents[2] / "docs" / "recovery.md").read_text(encoding="utf-8")
    rows = [f"| `{name}` | {each.distribution} {each.versions} |" for name, each in recovery._PATCHES.items()]
    assert [row for row in rows if row not in documentation] == []


def test_importing_it_imports_no_integration() -> None:
    code = (
        "import sys, langchain_logprobs.patches.recovery as recovery; "
        "print([name for name in sys.modules if name.startswith("
        "('langchain_openai', 'langchain_google', 'langchain_nvidia', 'langchain_cohere', 'langchain_litellm', "
        "'langchain_ollama', 'langchain_community', 'openai', 'google.genai'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
