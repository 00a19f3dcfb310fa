"""A type checker knows the type of everything that is public."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import langchain_logprobs

pytest.importorskip("basedpyright")


def test_every_public_name_is_typed_to_the_last_attribute(tmp_path: Path) -> None:
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
        check=False,  # it fails for names that are not public as well
    )
    symbols = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    homes = {f"langchain_logprobs.{home}.{name}" for name, home in langchain_logprobs._HOMES.items()}
    assert homes <= {symbol["name"] for symbol in symbols}
    unknown = [
        [symbol["name"], *(each["message"] for each in symbol["diagnostics"])]
        for symbol in symbols
        if any(f"{symbol['name']}.".startswith(f"{home}.") for home in homes)
        and (not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"])
    ]
    assert unknown == []
