# Every target makes its own environment first. `make`, Python 3.11 or later and a package index are all it
# needs, and once installed it needs no network.
#   PYTHON=python3.12   the interpreter to build the environment with
#   VENV=path           where the environment lives
#   ARGS="..."          further arguments for the target's command
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV  ?= .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH := $(VENV)/.installed-bench
ARGS  ?=

# A process per core, up to four.
WORKERS := --numprocesses auto --maxprocesses 4 --dist worksteal

# One thread: on a busy machine torch with several is many times slower.
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

say = @printf '\n==> %s\n' $(1)

.PHONY: help env demo test test-slow lint notebooks experiments bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

env: $(STAMP)  ## make the environment in .venv

$(STAMP): setup.cfg pyproject.toml constraints.txt
	$(call say,"environment: $(VENV)")
	@test -x $(BIN)/python || { \
	  python=$$(VENV_PYTHON="$(PYTHON)" bash .ci/find-python) && "$$python" -m venv $(VENV); }
	$(call say,"torch: the version in constraints.txt (one large download)")
	@$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(call say,"this library and its tools")
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)  ## the main job on real data; results in ./unroll-demo
	$(call say,"unroll demo (a few minutes; report in ./unroll-demo/report.html)")
	@$(BIN)/unroll demo $(ARGS)

test: $(STAMP)  ## the tests
	$(call say,"pytest")
	@$(BIN)/python -m pytest $(WORKERS) $(ARGS)

test-slow: $(STAMP)  ## the slow sweeps, and only these
	$(call say,"pytest -m slow")
	@$(BIN)/python -m pytest $(WORKERS) -m slow $(ARGS)

lint: $(STAMP)  ## ruff and mypy
	$(call say,"ruff and mypy")
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

notebooks: $(STAMP)  ## run every notebook from top to bottom, in place
	$(call say,"notebooks")
	@$(BIN)/python notebooks/run.py $(ARGS)

experiments: $(STAMP)  ## what training finds; ARGS="NAME... --size standard" for the saved tables (default: all, small)
	$(call say,"experiments")
	@$(BIN)/python -m constructions.learned.experiments $(or $(ARGS),all)

bench: $(BENCH)  ## our score against other solvers, a few minutes; ARGS=--full for all sizes, an hour
	$(call say,"benchmarks (results, tables and figures in ./benchmarks/results)")
	@$(BIN)/python -m benchmarks $(ARGS)

$(BENCH): $(STAMP)
	$(call say,"the other solvers: the extra bench")
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	@touch $@

clean:  ## remove what the targets made, the environment included
	rm -rf $(VENV) unroll-demo build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
