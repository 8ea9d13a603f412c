# Every target calls what it needs; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
MEMBERS := libs/common services/intake services/hotline-dispatch services/evaluation services/scoring services/publishing libs/suite
EDITABLE := $(foreach m,$(MEMBERS),-e $(m))
OWN := $(foreach p,common intake hotline-dispatch evaluation scoring publishing,--no-emit-package tongban-$(p))
# Processes of tests: they would share the topics of a broker that is given.
JOBS := $(if $(TONGBAN_KAFKA),0,auto)
COMPILE := $(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11

.PHONY: help setup browser run test replay crash-test fuzz bench fmt lint types arch contracts contracts-check check lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | expand -t 18

setup: .venv/.ready ## make the environment in .venv (every other target calls it)

.venv/.ready: requirements/dev.txt $(addsuffix /pyproject.toml,$(MEMBERS))
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed"; exit 1; }
	@test -x $(BIN)/python || python3 -m venv .venv || { echo "python3 -m venv failed: on Debian and Ubuntu install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check "$$(grep -oE '^uv==[0-9.]+' requirements/dev.txt)"
	@$(BIN)/uv pip install -q --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install -q --no-deps --no-build-isolation $(EDITABLE)
	@touch $@

browser: ## Debian's Chromium, for the tests of pages (without one they are skipped)
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -yqq chromium >/dev/null; }

run: setup ## the whole suite with a demo city at http://localhost:8000 (RESET=1 starts afresh)
	@$(BIN)/tongban run $(if $(RESET),--reset) $(ARGS)

test: setup ## all tests, on the best PostgreSQL and broker that this machine can give
	@$(BIN)/pytest -n $(JOBS) --dist loadfile $(ARGS)

replay: setup ## replay a file of messages: make replay FILE=… ARGS="--reply-days 15 --json out.json"
	@$(BIN)/tongban replay $(FILE) $(ARGS)

fuzz: setup ## draw requests against every operation of all five services (ARGS="-k scoring", FUZZ=50)
	@FUZZ=$(or $(FUZZ),50) $(BIN)/pytest tests/fuzz $(ARGS)

crash-test: setup ## kill and freeze every role under load, then check that nothing was lost (ARGS="--short")
	@$(BIN)/python -m tests.crash $(ARGS)

bench: setup ## lifecycles per second beside a bare insert, as ratios (ARGS="--json out.json")
	@$(BIN)/python -m bench $(ARGS)

fmt: setup ## format and fix what can be fixed
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: setup ## ruff: format and rules
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: setup ## mypy --strict, member by member
	@for m in $(MEMBERS); do (cd $$m && ../../$(BIN)/mypy --config-file ../../pyproject.toml src $$(test -d tests && echo tests)) || exit 1; done
	@$(BIN)/mypy --config-file pyproject.toml tests bench

arch: setup ## the layers and the one shape of the services
	@$(BIN)/lint-imports

contracts: setup ## export OpenAPI, AsyncAPI and event schemas into contracts/
	@$(BIN)/tongban contracts export

contracts-check: setup ## fail on drift and on incompatible change
	@$(BIN)/tongban contracts check

check: lint types arch contracts-check ## everything that needs no database

lock: ## compile the pinned, hashed requirements anew
	@$(COMPILE) requirements/dev.in $(addsuffix /pyproject.toml,$(MEMBERS)) $(OWN) -o requirements/dev.txt
	@for s in intake hotline-dispatch evaluation scoring publishing; do \
	  $(COMPILE) requirements/image.in libs/common/pyproject.toml services/$$s/pyproject.toml $(OWN) -c requirements/dev.txt -o requirements/$$s.txt || exit 1; done

clean: ## remove what was generated, the demo's data included
	@rm -rf .run .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
