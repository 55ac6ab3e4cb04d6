# Countersign. `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
# Most tests wait more than they compute: three processes finish sooner even on two cores. Those that drive browsers
# and kill processes run after the others, two at a time; what real machines do to them once, they may show again.
ALONE := tests/e2e tests/processes tests/deployment
TESTS := $(BIN)/python -m pytest -n 3 --dist loadscope $(ALONE:%=--ignore=%) && $(BIN)/python -m pytest -n 2 --dist loadfile --reruns 2 $(ALONE)

.PHONY: help setup demo test bench check format lint types imports lock clean

help: ## What each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## Install everything the project needs into .venv (safe to run again)

$(STAMP): requirements-dev.lock pyproject.toml .ci/setup tests/peers/oidc/package-lock.json
	@PYTHON="$(PYTHON)" .ci/setup
	@touch $(STAMP)

demo: setup ## Start the simulated EHRs and Countersign; prints the page to open
	@$(BIN)/countersign demo

test: setup ## Run every test, on SQLite and PostgreSQL, with a real browser
	@$(TESTS)

check: setup lint types imports ## Format, lint, types, import rules, tests: what CI runs
	@$(TESTS)

bench: setup ## Measure every bar and write docs/performance.md
	@$(BIN)/countersign bench --write

format: setup ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: setup ## Formatting and lint
	@echo "== format and lint" && $(BIN)/ruff format --check . && $(BIN)/ruff check .

types: setup ## Strict types on app, launch and vendors
	@echo "== types" && $(BIN)/mypy

imports: setup ## Who may import whom
	@echo "== import rules" && $(BIN)/lint-imports

lock: ## Rewrite the lock files from pyproject.toml (needs uv)
	uv pip compile --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -q pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -q --group dev pyproject.toml -o requirements-dev.lock

clean: ## Remove what setup and the demo made
	rm -rf .venv .countersign build *.egg-info tests/peers/oidc/node_modules
