"""A type checker of whoever imports the package knows the type of everything in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import langchain_logprobs

pytest.importorskip("basedpyright")


def test_every_name_is_typed_to_the_last_attribute(tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    done = subprocess.run(
        [programs / "basedpyright", "--ignoreexternal", "--outputjson", "--verifytypes", "langchain_logprobs"],
        cwd=tmp_path,  # where it finds the package's source beside it, it does not look at the installed one
        env={
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",  # the python that it asks for packages
            "PYTHONPATH": str(Path(langchain_logprobs.__file__).parents[1]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)["typeCompleteness"]
    homes = {f"langchain_logprobs.{home}.{name}" for name, home in langchain_logprobs._HOMES.items() if home[0] != "_"}
    assert homes <= {symbol["name"] for symbol in found["symbols"]}
    unknown = [
        [symbol["name"], *(each["message"] for each in symbol["diagnostics"])]
        for symbol in found["symbols"]
        if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]
    ]
    assert unknown == []
    assert found["completenessScore"] == 1
