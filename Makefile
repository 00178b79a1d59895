# Everything a person needs here; `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
PATHS := cli relex worker migrations benchmarks pretraining tests

.DEFAULT_GOAL := help
.PHONY: help install demo test faults check audit format passwords clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

install: .venv/installed  ## Make .venv and install relex with its tools, at the locked versions

.venv/installed: pyproject.toml requirements.lock
	@echo "Installing into .venv: about 1.7 GB with torch, some minutes"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --constraint requirements.lock --editable '.[dev]'
	@touch $@

demo: install  ## Score data/test_data.csv without any service and show the first predictions
	$(BIN)/relex submit data/test_data.csv --wait --export outputs/
	@echo; head -n 4 "$$(ls -t outputs/*.csv | head -n 1)" | cut -c 1-110

test: install  ## Run all tests (real Postgres and Redis where they answer on localhost)
	$(BIN)/pytest --numprocesses 2 --dist worksteal

faults: install  ## Kill, cut and fill everything: ROUNDS=200 rounds, or the one of SEED=n (docs/faults.md)
	$(BIN)/python -m tests.faults.runner $(if $(SEED),--seed $(SEED),--rounds $(or $(ROUNDS),200))

check: install  ## Lint, types, import contracts
	$(BIN)/ruff check $(PATHS)
	$(BIN)/ruff format --check $(PATHS)
	$(BIN)/mypy
	$(BIN)/lint-imports

audit:  ## Ask the vulnerability databases about every locked version (wants a network)
	@$(PYTHON) -m venv .venv/audit && .venv/audit/bin/pip install --quiet pip-audit==2.10.1
	.venv/audit/bin/pip-audit --strict --requirement requirements.lock --no-deps --disable-pip

passwords:  ## Write passwords for docker compose into .env
	@if grep -qs RELEX_OWNER_PASSWORD .env; then echo ".env has them already"; else umask 077; \
	$(PYTHON) -c "import secrets; [print(f'RELEX_{part}_PASSWORD={secrets.token_hex(24)}') for part in 'POSTGRES OWNER WORKER CLIENT REDIS'.split()]" >> .env; fi
	@chmod 600 .env

format: install  ## Put the code into shape
	$(BIN)/ruff check --fix $(PATHS)
	$(BIN)/ruff format $(PATHS)

clean:  ## Remove what was built here
	rm -rf .venv build outputs *.egg-info
