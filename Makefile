# Every target works from a fresh clone: `make demo` installs what running needs, `make test` adds what testing needs.

PYTHON ?= python3
PORT ?= 8000
# Whose program trades in the demo: godark, or a real one, whose IDL is IDL or that of ../shared/idl.
PROTOCOL ?=
IDL ?=
# Seconds until the demo ends by itself (empty: it runs until Ctrl-C), or that the weather of the soak run lasts.
SECONDS ?=
# One benchmark by name (benchmarks/<name>.py); empty: all of them.
BENCH ?=
# Processes that share the tests out; 0: all in one, which shows what they print (ARGS=-s).
JOBS ?= 2
# Arguments for pytest, as in `make test ARGS="tests/cli -k port"`.
ARGS ?=

VENV := .venv
# anchorpy cannot share ours (docs/decisions/0003): tests and benchmarks ask it there.
ANCHORPY := .venv-anchorpy
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Each process keeps to its part of the tests, so that tests of one file share what they set up, until it has none left.
PYTEST = $(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal
# The first release line with --group is 25.1; this is the one we test with.
PIP_VERSION := 26.3

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench soak format

help:
	@echo 'make demo [PORT=8000] [SECONDS=60]   a whole perps exchange, indexed and served, on this machine'
	@echo '          [PROTOCOL=jupiter] [IDL=FILE]   a real program instead, made to trade by its IDL'
	@echo 'make test [ARGS=...] [JOBS=2]        the tests, short fault runs among them (ARGS=tests/faults: these alone)'
	@echo 'make check                           format, lint, types, layers, tests'
	@echo 'make bench [BENCH=live]              benchmarks; the last line of each is one JSON object'
	@echo 'make soak [ARGS=...]                 the long fault runs, some hours (docs/soak.md); ARGS="-k memory" some of them'
	@echo 'make setup                           install everything into $(VENV)'
	@echo 'make format                          rewrite the source as `make check` wants it'

setup: $(VENV)/.dev

demo: $(VENV)/.runtime
	@exec $(BIN)/heliograph demo --port $(PORT) $(if $(SECONDS),--seconds $(SECONDS)) \
	    $(if $(PROTOCOL),--protocol $(PROTOCOL)) $(if $(IDL),--idl $(IDL))

test: $(VENV)/.dev $(ANCHORPY)/.ready
	$(PYTEST) $(ARGS)

check: $(VENV)/.dev $(ANCHORPY)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) $(ARGS)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev $(ANCHORPY)/.ready
	@set -e; for file in $(if $(BENCH),benchmarks/$(BENCH).py,$(sort $(wildcard benchmarks/*.py))); do \
	    $(BIN)/python $$file; done

soak: $(VENV)/.dev
	HELIOGRAPH_SOAK=1 HELIOGRAPH_SOAK_SECONDS=$(or $(SECONDS),600) HELIOGRAPH_SOAK_SEED=$${HELIOGRAPH_SOAK_SEED:-$$(date +%s)} $(BIN)/python -m pytest tests/faults tests/graphql/hostile tests/endtoend/test_as_of.py -s $(ARGS)

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo 'Heliograph needs Python 3.11 or newer, and `$(PYTHON)` is' \
	        "$$($(PYTHON) --version 2>&1 | tail -n 1)." \
	        'Name another one: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet 'pip==$(PIP_VERSION)'
	@touch $@

$(VENV)/.runtime: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(PIP) install --quiet --constraint constraints.txt --group dev
	@touch $@

$(ANCHORPY)/.ready: $(VENV)/.created pyproject.toml constraints-anchorpy.txt
	$(PYTHON) -m venv --without-pip --clear $(ANCHORPY)
	$(PIP) --python $(ANCHORPY) install --quiet --constraint constraints-anchorpy.txt --group anchorpy
	@touch $@
