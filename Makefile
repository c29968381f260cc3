# dotpilot: `make demo` and `make test` do all set-up themselves. `make help` lists the targets.
#
#   PYTHON=...       interpreter to use (3.11 or newer; found by itself)
#   TORCH_INDEX=...  package index to take torch from, such as a CPU-only one
#   VENV=...         where the virtual environment is (.venv)
#   RAY_VENV=...     where `make ray-check` makes its own (.venv-ray)
#   WORKERS=...      processes that run tests (2)

SHELL := /bin/sh
.SHELLFLAGS := -euc
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check format lint types imports docs science twins chaos faults bench \
	compose-check ray-check clean distclean

VENV ?= .venv
RAY_VENV ?= .venv-ray
WORKERS ?= 2
TORCH_INDEX ?=
BIN := $(VENV)/bin
STAMP := $(VENV)/.dotpilot-setup

# One thread per process: equal proposals on every machine, no fight over the cores.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export NUMEXPR_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export PIP_NO_INPUT := 1

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

setup: $(STAMP) ## make the virtual environment with the pinned libraries

# Quick when nothing changed: the stamp is newer than what it was made from.
$(STAMP): constraints.txt pyproject.toml Makefile
	@found=; \
	for candidate in $${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do \
	    if "$$candidate" -c '$(NEW_ENOUGH)' 2>/dev/null; then found="$$candidate"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "dotpilot needs Python 3.11 or newer, but found" \
	        "$$($${PYTHON:-python3} --version 2>&1 || true);" \
	        "install one, or name it: make setup PYTHON=/path/to/python3.11" >&2; \
	    exit 1; \
	fi; \
	if ! "$(BIN)/python" -m pip --version >/dev/null 2>&1; then \
	    echo "making $(VENV) with $$("$$found" --version)"; \
	    "$$found" -m venv --clear "$(VENV)" || { \
	        echo "$$found cannot make a virtual environment; install its venv module" \
	            "(python3-venv on Debian and Ubuntu) and run make again" >&2; exit 1; }; \
	fi
	@echo "installing $$(grep '^torch==' constraints.txt), then the rest, into $(VENV)"
	@"$(BIN)/python" -m pip install -qq $(if $(TORCH_INDEX),--index-url "$(TORCH_INDEX)") \
	    "$$(grep '^torch==' constraints.txt)"
	@"$(BIN)/python" -m pip install -qq -c constraints.txt -e '.[dev,files,instruments,postgresql,science,sila]'
	@touch "$@"

demo: setup ## run a campaign on the simulated flow line and write its report
	@mkdir -p demo
	@"$(BIN)/dotpilot" --db sqlite:///demo/dotpilot.db launch examples/flow_green.yaml --json \
	    > demo/campaign.json
	@campaign=$$("$(BIN)/python" -c \
	    'import json; print(json.load(open("demo/campaign.json"))["campaign"])'); \
	"$(BIN)/dotpilot" --db sqlite:///demo/dotpilot.db show "$$campaign"; \
	page=$$("$(BIN)/dotpilot" --quiet --db sqlite:///demo/dotpilot.db \
	    report "$$campaign" --out "demo/report-$$campaign"); \
	echo; \
	echo "The report is $(CURDIR)/$$page"; \
	echo "The record is demo/dotpilot.db; look around with:"; \
	echo "  $(BIN)/dotpilot --db sqlite:///demo/dotpilot.db list"

# The tests of the documentation belong to `make check`.
test: setup ## run the tests, on SQLite and on PostgreSQL
	@"$(BIN)/python" -m pytest -q -n $(WORKERS) --dist worksteal -m "not slow" --ignore tests/docs

# `make -k check` goes on after a failure and shows all of them.
check: format lint types imports docs ## format, lint, types, imports, documentation

format: setup
	@"$(BIN)/ruff" format --check .

lint: setup
	@"$(BIN)/ruff" check .

types: setup
	@"$(BIN)/mypy"

imports: setup
	@"$(BIN)/lint-imports" --no-logo

docs: setup
	@"$(BIN)/python" -m pytest -q -n $(WORKERS) --dist worksteal -m "not slow" tests/docs

science: setup ## the scientific runs of minutes
	@"$(BIN)/python" -m pytest -q -n $(WORKERS) -m slow --timeout 7200

twins: setup ## judge the twins on every published figure; write their plots and pages
	@"$(BIN)/python" -m orchestrator.twins.pages --score

chaos: setup ## kill every process of the service at random, for 500 trials; print the figures
	@"$(BIN)/python" -m tests.chaos

faults: setup ## a campaign of 200 trials on failing wires and devices; print the figures
	@"$(BIN)/python" -m tests.chaos.wires

bench: setup ## compare with other tools, as JSON
	@for script in benchmarks/[a-z]*.py; do \
	    echo "== $$script" >&2; "$(BIN)/python" "$$script" --json; \
	done
	@"$(BIN)/python" -m benchmarks.planners --suite quick --json

compose-check: setup ## the deployment's files and commands, without an engine
	@"$(BIN)/python" deploy/check_compose.py

ray-check: ## the same results on a Ray cluster, in an environment of its own
	@$(MAKE) --no-print-directory setup VENV="$(RAY_VENV)"
	@"$(RAY_VENV)/bin/python" -m pip install -qq -c constraints.txt -e '.[cluster]'
	@"$(RAY_VENV)/bin/python" -m pytest -q -m ray tests/orchestrator/test_executor.py

clean: ## remove caches, build output and the demo
	@rm -rf build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache \
	    .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## remove the virtual environment as well
	@rm -rf "$(VENV)" "$(RAY_VENV)" benchmarks/.env-*
