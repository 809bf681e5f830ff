# The commands of this project. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Put in a file's place so that a later run needs no network.
RUN    := $(VENV)/.run-installed
DEV    := $(VENV)/.dev-installed
# A file stays with one worker: its fixtures are made once, and the recordings' fixed ports are shared by one file.
XDIST  ?= -n 2 --dist loadfile

.DEFAULT_GOAL := help

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

scenarios: $(RUN) ## the main job: the scenarios on the embedded engine (no Docker)
	$(BIN)/pytest scenarios $(ARGS)

test: $(DEV) ## the harness's own tests
	$(BIN)/pytest tests -m "not docker and not interop" $(XDIST) $(ARGS)

test-docker: $(DEV) ## the tests that build images and run containers; without a daemon they say so
	$(BIN)/pytest tests -m docker $(ARGS)

test-interop: $(DEV) ## published clients of Nacos and of the Admin API against the emulators (a first run downloads and builds them)
	$(BIN)/pytest tests/interop -n 4 --dist loadscope $(ARGS)

check: $(DEV) ## lint, format, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

load: $(DEV) ## a 10 s load run through the gateway, percentiles per end-point
	$(BIN)/locust -f loadtests/locustfile.py --headless -t 10s -u 16 -r 16 --only-summary $(ARGS)

up: $(RUN) ## start the stack and keep it until Ctrl-C
	$(BIN)/harness up $(ARGS)

format: $(DEV) ## format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proto: $(DEV) ## generate the gRPC code of the stubs from their .proto files
	$(BIN)/python -m stubs.generate

clean: ## remove the virtual environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml | $(VENV)/bin/python
	@$(SHELL) tools/install.sh $(VENV) "."
	@touch $@

$(DEV): pyproject.toml | $(VENV)/bin/python
	@$(SHELL) tools/install.sh $(VENV) ".[dev]"
	@touch $@ $(RUN)

.PHONY: help scenarios test test-docker test-interop check load up format proto clean
