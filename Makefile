# Two commands on a fresh machine: `make demo` and `make test`. Each does its own set-up.
PYTHON ?= python3
BIN := .venv/bin
export UV_SYSTEM_CERTS := 1
UTTAG := $(BIN)/uttag

.PHONY: demo test check cluster bench setup lock docs clean

setup: .venv/.ready

# Versions and hashes are locked: a wheel that differs from the lock is refused.
.venv/.ready: requirements.lock bootstrap.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "uttag needs Python 3.11 or later; set PYTHON=" >&2; exit 10; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r bootstrap.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(UTTAG) demo --out demo-site

test: setup
	$(BIN)/pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/build.py --check

docs: setup
	$(BIN)/python docs/build.py

cluster:
	slurm/virtual/cluster start

# Peers of the benchmark have an environment of their own, so that uttag's stays small.
.venv-bench/.ready: bench.lock .venv/.ready
	$(PYTHON) -m venv .venv-bench
	$(BIN)/uv pip install --quiet --python .venv-bench/bin/python --require-hashes -r bench.lock
	@touch $@

bench: setup .venv-bench/.ready
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.linkage
	$(BIN)/python -m benchmarks.cohort
	$(BIN)/python -m benchmarks.aggregation
	$(BIN)/python -m benchmarks.disclosure

# After a change in pyproject.toml.
lock: setup
	$(BIN)/uv pip compile --generate-hashes --no-emit-index-url --no-annotate --no-header --all-extras --python-version 3.11 \
	  --upgrade pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 \
	  --upgrade benchmarks/bench.in --output-file bench.lock

clean:
	rm -rf .venv .venv-bench demo-site build
