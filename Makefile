.DEFAULT_GOAL := help
.PHONY: help setup run test check check-whoosh fuzz-api format widget lock bench-setup clean
PYTHON ?= python3
BIN := .venv/bin
SETUP := scripts/setup

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install the locked dependencies into .venv (then .venv/bin/kb works)
	@PYTHON=$(PYTHON) $(SETUP) run

run: setup ## set up, build the index, serve on http://127.0.0.1:8000
	@exec $(BIN)/kb serve

test: ## set up everything tests need (Chromium and Chinese fonts too) and run all checks and tests
	@PYTHON=$(PYTHON) $(SETUP) test
	@$(MAKE) --no-print-directory check
	@$(BIN)/pytest

check: ## formatting, lint, types, import rules, article lint
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > .import-linter.log || { cat .import-linter.log; exit 1; }
	@$(BIN)/kb lint articles

check-whoosh: setup ## run the engine's contract on Whoosh 2.7.4, the line before whoosh3, in an environment that is thrown away
	@rm -rf .venv-whoosh && $(PYTHON) -m venv .venv-whoosh
	@awk '/^[^ #]/ {skip = /^whoosh3==/} !skip' requirements-dev.lock > .venv-whoosh/requirements.lock
	@.venv-whoosh/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv-whoosh/requirements.lock
	@.venv-whoosh/bin/python -m pip install --quiet --disable-pip-version-check --no-deps Whoosh==2.7.4
	@.venv-whoosh/bin/python -c 'import whoosh; assert whoosh.__version__ == (2, 7, 4), whoosh.__version__'
	@.venv-whoosh/bin/python -m pytest -n 0 -W ignore::DeprecationWarning tests/indexer/test_ranking_and_backend.py tests/indexer/test_impacts.py
	@rm -rf .venv-whoosh

fuzz-api: ## ask the API whatever its description allows and forbids, other requests at each run, for some ten minutes
	@PYTHON=$(PYTHON) $(SETUP) test
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-500} $(BIN)/pytest tests/hostile/test_fuzz_api.py

format: ## format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

widget: ## make the widget that pages get anew, after a change of widget.js or intents.js
	@$(BIN)/python -m scripts.make_widget

lock: ## write the lock files anew (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group build -o requirements.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group build --group dev -c requirements.lock -o requirements-dev.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group build --group bench -c requirements.lock -o requirements-bench.lock

bench-setup: ## install the engines that ours is measured against into .venv-bench (bench/README.md)
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .

clean: ## remove the environment and caches; never the data in var/
	@rm -rf .venv .venv-bench .venv-whoosh indexer/_kernel.so .mypy_cache .ruff_cache .pytest_cache .hypothesis .import-linter.log
