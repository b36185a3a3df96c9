# Everything a person does here. `make` alone lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# for instance make demo ARGS="--port 8000"
ARGS ?=
# how long `make fuzz` looks
SECONDS_TO_FUZZ ?= 120

.DEFAULT_GOAL := help
.PHONY: help demo test check fix bench fuzz clean python-ok

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*##[ ]*/  make \1\t/'

python-ok:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here. Install Python 3.11 or newer, for instance from python.org or with 'apt install python3 python3-venv'." >&2; exit 2; }
	@$(PYTHON) scripts/check_python.py || exit 2

$(VENV)/.installed: requirements.txt | python-ok
	@echo "Setting up $(VENV): torch is large, this takes some minutes the first time."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@

demo: $(VENV)/.installed ## set everything up and open the app on http://127.0.0.1:7860
	$(BIN)/python app.py --open $(ARGS)

test: $(VENV)/.installed-dev ## set everything up and run the tests
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev ## formatting, lint, types and the import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/.installed-dev ## mend formatting and what lint can mend by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: $(VENV)/.installed-dev ## open damaged videos for SECONDS_TO_FUZZ seconds, looking for one that is not survived
	$(BIN)/python -m tests.fuzz_video --seconds $(SECONDS_TO_FUZZ)

bench: $(VENV)/.installed-dev ## measure speed and memory; writes benchmarks/results/*.json
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.frames
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.app_latency

clean: ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
