"""The matrix for those who are used to nox: `nox -l`. What a session does stands in the Makefile, once.

Each session makes an environment of its own from the locks, under .venv-*/, as the Makefile does.
"""

from __future__ import annotations

import nox

PYTHONS = ("3.11", "3.12", "3.13", "3.14")

nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "none"


@nox.session
@nox.parametrize("python", PYTHONS)
def tests(session: nox.Session, python: str) -> None:
    """The tests on a Python of the machine; on 3.11 with the coverage gate."""
    if python == PYTHONS[0]:
        session.run("make", "test", f"ARGS={' '.join(session.posargs)}")
    else:
        session.run("make", "test-python", f"OTHER=python{python}", f"ARGS={' '.join(session.posargs)}")


def _make(*targets: str) -> None:
    for target in targets:

        def run(session: nox.Session, target: str = target) -> None:
            session.run("make", target, f"ARGS={' '.join(session.posargs)}")

        run.__doc__ = f"make {target}"
        nox.session(name=target)(run)


_make("lint", "types", "site", "build", "test-oldest", "slow", "providers", "e2e", "bench-quick", "newest")
