# Everything a person needs here; `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
PATHS := cli relex worker migrations benchmarks pretraining tests
# Containers run as you; made by root, they run as the first ordinary user.
COMPOSE_UID = $(patsubst 0,1000,$(shell id -u))

.DEFAULT_GOAL := help
.PHONY: help install demo test faults check reference audit format passwords clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

install: .venv/installed  ## Make .venv and install relex with its tools, at the locked versions

.venv/installed: pyproject.toml requirements.lock
	@echo "Installing into .venv: downloads and unpacks about 1.7 GB with torch, takes a few minutes"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --progress-bar on --constraint requirements.lock --editable '.[dev]'
	@touch $@
	@echo "Installed; .venv/bin/relex --help shows the commands"

demo: install  ## Score data/test_data.csv without any service and show the first predictions
	$(BIN)/relex submit data/test_data.csv --follow --export outputs/
	@echo; $(BIN)/relex show -n 5

test: install  ## Run all tests (real Postgres and Redis where they answer on localhost)
	$(BIN)/pytest --numprocesses 2 --dist worksteal

faults: install  ## Kill, cut and fill everything: ROUNDS=200 rounds, or the one of SEED=n (docs/measurements/faults.md)
	$(BIN)/python -m tests.faults.runner $(if $(SEED),--seed $(SEED),--rounds $(or $(ROUNDS),200))

check: install  ## Lint, types, import contracts
	$(BIN)/ruff check $(PATHS)
	$(BIN)/ruff format --check $(PATHS)
	$(BIN)/mypy
	$(BIN)/lint-imports

reference: install  ## Write the generated parts of docs/reference again
	$(BIN)/python -m tests.docs.reference

audit:  ## Ask the vulnerability databases about every locked version (wants a network)
	@$(PYTHON) -m venv .venv/audit && .venv/audit/bin/pip install --quiet pip-audit==2.10.1
	.venv/audit/bin/pip-audit --strict --requirement requirements.lock --no-deps --disable-pip

passwords:  ## Write .env (passwords, your user's id) and make outputs/ for docker compose; keeps what is there
	@umask 077 && touch .env && chmod 600 .env && if [ -n "$$(tail -c 1 .env)" ]; then echo >> .env; fi
	@set -e; for part in POSTGRES OWNER WORKER CLIENT REDIS; do \
	  grep -q "^RELEX_$${part}_PASSWORD=." .env || \
	    echo "RELEX_$${part}_PASSWORD=$$(od -A n -N 24 -t x1 /dev/urandom | tr -d ' \n')" >> .env; \
	done
	@grep -q '^RELEX_UID=.' .env || echo "RELEX_UID=$(COMPOSE_UID)" >> .env
	@mkdir -p outputs
	@if [ "$$(id -u)" = 0 ]; then chown "$$(sed -n 's/^RELEX_UID=//p' .env | tail -n 1)" outputs; fi
	@[ -w outputs ] || \
	  { printf '%s\n' 'error: outputs/ belongs to another user' 'hint: sudo chown "$$(id -u)" outputs' >&2; exit 1; }

format: install  ## Put the code into shape
	$(BIN)/ruff check --fix $(PATHS)
	$(BIN)/ruff format $(PATHS)

clean:  ## Remove what was built here
	rm -rf .venv build outputs *.egg-info
