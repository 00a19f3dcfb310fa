"""Recorded model calls and what the handler writes of them: a change of any number on any span is seen here.

`data/` holds what LangChain handed to the callbacks (every row of the table of providers, answers of the real local
model), and the golden files: every attribute that came of it. 5,500 random JSON documents, made from a fixed seed, are
there as digests. test_golden.py replays all of it and compares attribute for attribute.

    python tests/golden --compare                            what differs from the golden files, grouped by attribute
    python tests/golden --compare --allow 'logprobs.fields.*'     the same, apart from named changes
    python tests/golden --write                              make the golden files again, on purpose (`make golden`)
    python tests/golden --dump DIR                           every span in full, one JSON file a set

To see both values of a random document that changed, write all in full with the old source, and compare with that:

    git worktree add ../before COMMIT
    PYTHONPATH=../before/src python tests/golden --write ../golden-before --full
    python tests/golden --compare ../golden-before

The recordings are made anew with `--record-model` (needs what `make demo` installs) and with `--record-providers`
(in each environment of `make providers`); the golden files then too. Only public names of langchain_logprobs are used
here, so that no move inside the package touches this folder.
"""
