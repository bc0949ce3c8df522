# Needs Python 3.11 or newer and make; everything else is fetched. `make demo` and `make test` set up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JARS := $(or $(HEADGATE_JARS),.headgate/jars)
INSTALLED := $(VENV)/installed.stamp
FETCHED := $(JARS)/fetched.stamp

.PHONY: setup demo up test check lock bench
.DEFAULT_GOAL := setup

setup: $(INSTALLED) $(FETCHED)

demo: setup
	@$(BIN)/headgate demo

up: setup
	@$(BIN)/headgate up

# Two processes, because most of the time is waiting: whole files each, with a broker and a Spark session of their own.
test: setup
	@$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(INSTALLED)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	@$(BIN)/python -m tests.bench

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Headgate needs Python 3.11 or newer as $(PYTHON): name another one, as in make PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing the packages of requirements.lock into $(VENV)"
	@if command -v uv >/dev/null; then \
	  { test -x $(BIN)/python || uv venv --quiet --python "$(PYTHON)" $(VENV); } && \
	  uv pip install --python $(BIN)/python --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  { test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || \
	    { echo "This Python cannot make a virtual environment: install its venv module, or uv" >&2; exit 1; }; } && \
	  $(BIN)/python -m pip install --require-hashes --no-deps -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

$(FETCHED): $(INSTALLED) launcher/jars.lock $(wildcard spark_jobs/jvm/*.java)
	@$(BIN)/python -m launcher.setup
	@touch $@

lock:
	@command -v uv >/dev/null || { echo "make lock needs uv" >&2; exit 1; }
	uv pip compile pyproject.toml --generate-hashes --all-extras --no-annotate --no-header --no-emit-find-links \
	  --quiet --output-file requirements.lock
