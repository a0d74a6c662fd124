# Wangge 网格. `make` or `make help` lists what can be done; nothing here touches a server that already runs.
.DEFAULT_GOAL := help
.PHONY: help install run up down demo check format test test-unit test-integration contracts scenarios faults bench bench-quick images containers lock clean

BIN := .venv/bin
BENCH := .venv/bench
PYTEST := $(BIN)/python -m pytest

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

install: ## Make .venv from requirements.lock; get RabbitMQ, PostgreSQL and Redis from Debian where missing
	@scripts/bootstrap

run: install ## Start everything and show the demo site's cases going round; Ctrl-C stops it, the data stay
	@$(BIN)/wangge run

up: install ## Start the servers and services in the background
	@$(BIN)/wangge up

down: ## Stop what `make up` started; the data stay
	@$(BIN)/wangge down

demo: ## Apply the demo site to a running system and publish sample incidents
	@$(BIN)/wangge demo

check: install ## What every commit must pass: format, lint, types, imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: install ## All tests; they start their own servers and stop them
	$(PYTEST)

test-unit: install ## The pure rules only: no server, seconds
	$(PYTEST) tests/unit

test-integration: install ## Each part on real PostgreSQL, RabbitMQ and Redis
	$(PYTEST) tests/integration

contracts: install ## Every event, seen from both sides
	$(PYTEST) tests/contract

scenarios: install ## Stories from the field through all services
	$(PYTEST) tests/scenarios

faults: install ## kill -9, broker loss, duplicates, a random soak: nothing may be lost; writes docs/faults.md, takes half an hour
	$(PYTEST) tests/faults -m faults --fault-report docs/faults.md

bench: $(BENCH)/.installed ## Everything of docs/benchmarks.md, measured on this machine beside its peers (20 minutes)
	$(BENCH)/bin/python -W ignore -m bench

bench-quick: $(BENCH)/.installed ## The same in short: the shape, not the figures
	$(BENCH)/bin/python -W ignore -m bench --quick

$(BENCH)/.installed: bench/requirements.lock | install
	$(BIN)/python -m venv $(BENCH)
	$(BENCH)/bin/pip install -qq --disable-pip-version-check --require-hashes -r bench/requirements.lock
	$(BENCH)/bin/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation \
	  --config-settings editable_mode=compat --editable .
	@touch $@

images: install ## Build the images of the services and, from Debian's packages, of the servers (needs Docker)
	deploy/images.sh --servers

containers: install ## The deployment of deploy/ in real containers: minutes, so not part of `make test`
	WANGGE_CONTAINERS=1 $(PYTEST) tests/containers

lock: install ## Resolve requirements*.in anew into requirements.lock (needs the network)
	$(BIN)/python -m venv .venv/lock && .venv/lock/bin/pip install --quiet uv
	.venv/lock/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  --upgrade requirements-dev.in --output-file requirements.lock
	.venv/lock/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  --constraints requirements.lock --upgrade bench/requirements.in --output-file bench/requirements.lock

clean: ## Stop the system and remove its data, the environment and all caches
	@if [ -x $(BIN)/wangge ]; then $(BIN)/wangge down --erase; fi
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
