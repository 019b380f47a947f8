# Two commands on a fresh machine: `make demo` and `make test`. Each does its own set-up. `make` alone tells the others.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
export UV_SYSTEM_CERTS := 1
UTTAG := $(BIN)/uttag
# Four workers on two cores: two of them wait for the cluster's jobs most of the time. A file stays with one
# worker, since its tests share fixtures and compiled loops, and files go out in the order of tests/conftest.py.
WORKERS ?= 4
# The workers share the cores: threads that a library starts besides would wait for each other, and busily.
PYTEST := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
PAGES := $(BIN)/sphinx-build -q -c docs

.PHONY: help demo test test-long coverage check cluster bench setup lock docs clean

help: ## say what each target does, and do nothing
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready ## install everything into .venv, at locked versions and hashes

# Versions and hashes are locked: a wheel that differs from the lock is refused.
.venv/.ready: requirements.lock bootstrap.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "uttag needs Python 3.11 or later; set PYTHON=" >&2; exit 10; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r bootstrap.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## a made-up region of 100,000 people, two nights, to a report
	$(UTTAG) demo --out demo-site

test: setup ## the tests; with a cluster under way (make cluster), its tests, too
	$(PYTEST)

test-long: setup ## the tests with all generated cases, other ones in every run
	UTTAG_TESTS=long $(PYTEST)

# Which lines ran, and that of the new ones nine in ten did: new since the branch that this one follows, or since
# the commit before the last. Not on the cluster, whose jobs are not looked into; kernels are compiled, and not
# seen. What a stage does runs in the tests' own processes, too, so the stages that Snakemake starts add little.
BASE ?= $(shell git rev-parse --verify --quiet '@{upstream}' 2>/dev/null || git rev-parse HEAD~1)
coverage: setup ## the tests, with a list of lines that none ran; fails if of new lines under 90 % ran
	mkdir -p build/coverage
	$(PYTEST) -m "not cluster" --cov --cov-report=xml --cov-report=term
	$(BIN)/diff-cover build/coverage/lines.xml --compare-branch $(BASE) --fail-under 90

check: setup ## what must hold before a commit: format, types, imports, pages and their links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/build.py --check
	$(PAGES) -E -W --keep-going -b dummy . build/pages

docs: setup ## write what follows from the code into docs/, and build the site: build/docs/index.html
	$(BIN)/python docs/build.py
	rm -rf build/docs
	$(PAGES) -W --keep-going -b html . build/docs
	@echo "the site: build/docs/index.html"

cluster: ## start a four-node Slurm cluster on this machine (Debian, root)
	slurm/virtual/cluster start

# Peers of the benchmark have an environment of their own, so that uttag's stays small.
.venv-bench/.ready: bench.lock .venv/.ready
	$(PYTHON) -m venv .venv-bench
	$(BIN)/uv pip install --quiet --python .venv-bench/bin/python --require-hashes -r bench.lock
	@touch $@

bench: setup .venv-bench/.ready ## measure uttag beside its peers
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.linkage
	$(BIN)/python -m benchmarks.cohort
	$(BIN)/python -m benchmarks.aggregation
	$(BIN)/python -m benchmarks.disclosure

# After a change in pyproject.toml.
lock: setup ## raise the locked versions, after a change in pyproject.toml
	$(BIN)/uv pip compile --generate-hashes --no-emit-index-url --no-annotate --no-header --all-extras --python-version 3.11 \
	  --upgrade pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 \
	  --upgrade benchmarks/bench.in --output-file bench.lock

clean: ## remove what make has made
	rm -rf .venv .venv-bench demo-site build
