# Two commands set up everything on a machine with Python 3.11 or newer and make:
#   make run     virtual environment, install, `pharmaetl run nsde` (FDA's site, or SOURCE=FILE; LAKE=FOLDER)
#   make test    the same, then the whole suite
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check
SOURCE ?=
LAKE ?= lake

BENCH ?= all

.PHONY: run test check bench install install-dev clean

run: install
	$(BIN)/pharmaetl run nsde --lake "$(LAKE)" $(if $(SOURCE),--source "$(SOURCE)")

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --editable .
	touch $@

install-dev: $(VENV)/installed-dev

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) install --editable ".[dev,java]"
	touch $@

# One process can hold a session of one engine only, so the engine tests run once for each. The suite is shared out to two
# processes by files, in their order: by number of tests, few that take long would come last. The tests against the
# emulated AWS mostly wait: DuckDB's and JVM Spark's run beside them, and their report comes behind. What gold holds of
# real releases is looked at once; every engine has to come to the same digests.
E2E := tests/aws/e2e
SHARED := --numprocesses 2 --dist loadfile --no-loadscope-reorder
ENGINES := tests/spark tests/real/test_release_files.py
PYTEST = $(BIN)/python -m pytest
test: install-dev
	$(PYTEST) $(SHARED) --ignore $(E2E)
	$(PYTEST) -p no:cacheprovider $(E2E) >$(VENV)/e2e.log 2>&1 & e2e=$$!; \
	$(PYTEST) $(ENGINES) --engine duckdb && $(PYTEST) $(ENGINES) --engine spark; engines=$$?; \
	wait $$e2e; e2e=$$?; cat $(VENV)/e2e.log; exit $$((engines + e2e))

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/audit

# Hours, on a machine that does nothing else; BENCH=startup, fetch, run, … takes one subject (python -m benchmarks --help).
bench: install-dev
	$(BIN)/python -m benchmarks $(BENCH) --write

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
