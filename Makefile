# The one list of commands; CI runs the same. `make run` and `make test` need nothing but Python 3.11+.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3.14 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test lint format docs fuzz schemathesis bench chaos clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

run: .venv/.run ## set up what is missing, then start the server (ARGS="--port 9000" passes flags)
	@exec $(BIN)/python -m sdrest $(ARGS)

test: .venv/.dev ## lint, then run every test with branch coverage
	@$(MAKE) --no-print-directory lint
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: .venv/.dev ## check format, style, types, layers, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

format: .venv/.dev ## format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: .venv/.dev ## rewrite the generated tables of README.md and docs/
	$(BIN)/python docs/tables.py

fuzz: .venv/.dev ## send 20,000 bad requests (ARGS="COUNT SEED")
	$(BIN)/python -m tests.fuzz $(ARGS)

schemathesis: .venv/.dev ## check the API's description with schemathesis for ten minutes (ARGS="--seconds 60 --seed 1")
	$(BIN)/python -m tests.description $(ARGS)

bench: .venv/.dev ## run the benchmarks (see docs/benchmarks.md)
	$(BIN)/python -m benchmarks

chaos: .venv/.dev ## kill and stop the server a hundred times while clients act at random (ARGS="--seed 1")
	$(BIN)/python -m tests.chaos $(ARGS)

clean: ## remove everything built here, but no pictures
	rm -rf .venv build dist *.egg-info .coverage* htmlcov .hypothesis .*_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "sdrest needs Python 3.11 or later. Install it, or give its path: make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "sdrest needs Python 3.11 or later, and $(PYTHON) is not. Give another: make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments. Install its venv package (Debian, Ubuntu: apt install python3-venv)."; exit 1; }
	@echo "Making the virtual environment in .venv ..."
	@"$(PYTHON)" -m venv --clear .venv || { rm -rf .venv; exit 1; }

.venv/.run: .venv/bin/python setup.cfg
	@echo "Installing what the server needs ..."
	@$(PIP) --editable '.[bundled]'
	@touch $@

.venv/.dev: .venv/bin/python setup.cfg
	@echo "Installing what the tests need ..."
	@$(PIP) --editable '.[dev]'
	@touch $@ .venv/.run
