# The one entrance for people and for CI. Everything is installed into .venv from uv.lock.
.DEFAULT_GOAL := help
.PHONY: help install demo test fuzz soak bench check format docs lock wheel release setup-ci clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP) ## Make .venv with the command .venv/bin/coval-etl, from uv.lock

# uv where it is; where it is not, pip brings it into a tool environment of its own (never into the system's Python).
$(STAMP): pyproject.toml uv.lock tools/install.sh
	@PYTHON="$(PYTHON)" sh tools/install.sh
	@touch $@

demo: $(STAMP) ## Import a messy workbook into a local sandbox and show what became of every row
	@sh tools/demo.sh

test: $(STAMP) ## Run every test; says loudly what this machine cannot run
	$(BIN)/pytest

SECONDS_EACH ?= 600
fuzz: $(STAMP) ## Read damaged files of every format, 10 minutes each (KINDS="csv xlsx" SECONDS_EACH=60 for less)
	$(BIN)/python -m tests.fuzz $(KINDS) --seconds $(SECONDS_EACH)

SEEDS ?= 100000
FROM ?= 0
GAMES ?= 2000
CASES ?= 200000
soak: $(STAMP) ## Simulate whole jobs against an API that fails in every way and move an organisation (SEEDS=100000 FROM=0 GAMES=2000 CASES=200000)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --from $(FROM) --games $(GAMES)
	$(BIN)/python -m tests.story --cases $(CASES)

ROUNDS ?= 5
bench: $(STAMP) ## Measure reading, sending, exporting beside peers, and the ledger (ROUNDS=5)
	sh tools/bench.sh benchmarks --rounds $(ROUNDS) --json bench-reading.json
	sh tools/bench.sh benchmarks.sending --rounds $(ROUNDS) --json bench-sending.json
	sh tools/bench.sh benchmarks.ledger

check: $(STAMP) ## Lint, types, fences, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

format: $(STAMP) ## Put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP) ## Build the pages of docs/ into a site, docs/_site; a link that leads nowhere fails
	$(BIN)/python -m tools.describe_commands
	uv sync --frozen --quiet --inexact --group docs || .tools/bin/uv sync --frozen --quiet --inexact --group docs
	$(BIN)/python -m sphinx -W --keep-going -n -q -b html docs docs/_site
	@echo "Open docs/_site/index.html"

lock: ## Renew uv.lock
	uv lock --upgrade

wheel: $(STAMP) ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --outdir dist

release: $(STAMP) ## A release as far as it goes without publishing: build, check, install, use, list what is in it
	PATH="$$PWD/.tools/bin:$$PATH" sh tools/release.sh

setup-ci: ## Install what only Debian has (needs root): browser, office, strace
	sh tools/setup-ci.sh

clean: ## Remove everything that was made
	rm -rf $(VENV) .tools demo dist build docs/_site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .fuzz bench-*.json
