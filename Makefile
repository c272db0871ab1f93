.DEFAULT_GOAL := help
.PHONY: help setup run test check format lock clean
PYTHON ?= python3
BIN := .venv/bin
SETUP := scripts/setup

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

format: ## format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: ## write the lock files anew (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group build -o requirements.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group build --group dev -c requirements.lock -o requirements-dev.lock

clean: ## remove the environment and caches; never the data in var/
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import-linter.log
