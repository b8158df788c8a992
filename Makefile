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
# processes by files. The tests against the emulated AWS mostly wait, those on JVM Spark wait for Java: others run beside
# them, and their report comes behind. What gold holds of real releases is looked at once; every engine has to come to the
# same digests.
E2E := tests/aws/e2e
SHARED := --numprocesses 2 --dist loadfile
ENGINES := tests/spark tests/real/test_release_files.py
PYTEST = $(BIN)/python -m pytest
# $(call beside,A,B): A and B at once; fails where one does
beside = $(1) >$(VENV)/beside.log 2>&1 & other=$$!; $(2); failed=$$?; \
	wait $$other; other=$$?; cat $(VENV)/beside.log; exit $$((failed + other))
test: install-dev
	$(call beside,$(PYTEST) -p no:cacheprovider $(E2E),$(PYTEST) $(SHARED) --ignore $(E2E))
	$(call beside,$(PYTEST) -p no:cacheprovider $(ENGINES) --engine spark,$(PYTEST) $(ENGINES) --engine duckdb)

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
