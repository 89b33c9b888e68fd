# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
TOUR ?= azogue-tour

.PHONY: run test lint types mutants coverage bench docs clean fuzz lock test-locked licences sbom

run: $(VENV)/.installed
	$(BIN)/azogue tour --output $(TOUR)

test: $(VENV)/.dev lint types
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not mutants"
	$(BIN)/python -m pytest -q tests/test_mutants.py -n 2 -m mutants

lint: $(VENV)/.dev
	$(BIN)/ruff check src tests benchmarks tools
	$(BIN)/ruff format --check src tests benchmarks tools

types: $(VENV)/.dev
	$(BIN)/mypy

mutants: $(VENV)/.dev
	$(BIN)/python -m pytest -q tests/test_mutants.py -m mutants

coverage: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 2 --dist worksteal --cov --cov-report=term -m "not mutants"

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/foundation.py
	$(BIN)/python benchmarks/variants.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/modalities.py
	$(BIN)/python benchmarks/reduction.py
	$(BIN)/python benchmarks/anomaly.py
	$(BIN)/python benchmarks/denoising.py
	$(BIN)/python benchmarks/imputation.py
	$(BIN)/python benchmarks/private.py
	$(BIN)/python benchmarks/anonymization.py
	$(BIN)/python benchmarks/synthesis.py
	$(BIN)/python benchmarks/synthesis_quality.py
	$(BIN)/python benchmarks/hashing.py
	$(BIN)/python benchmarks/search.py
	$(BIN)/python benchmarks/encryption.py

# seeds and seconds of the fuzzers: make fuzz SECONDS=600 SEED=7
SECONDS ?= 60
SEED ?= 0
fuzz: $(VENV)/.dev
	$(BIN)/python benchmarks/hostile.py fuzz --seconds $(SECONDS) --seed $(SEED)

licences: $(VENV)/.dev
	$(BIN)/python tools/supply.py licences

sbom: $(VENV)/.dev
	$(BIN)/python tools/supply.py sbom sbom.json

# What CI installs, with hashes, for all Pythons and platforms; of PyPI, whatever index pip uses here.
lock: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group dev \
	  -c constraints.txt pyproject.toml -o requirements/ci.txt

# The tests with exactly these: a wheel of another index (such as torch's CPU build) is refused.
test-locked:
	$(PYTHON) -m venv .venv-locked
	.venv-locked/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/ci.txt
	PYTHONPATH=src .venv-locked/bin/python -m pytest -q -n 2 --dist worksteal -m "not mutants"

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -W -b html docs docs/_build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Azogue needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing Azogue with the CPU build of torch where pip offers it."
	@echo "For another build: install torch into $(VENV) yourself, then make CONSTRAINTS=/dev/null run"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) --group bench
	@touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) --group docs
	@touch $@

clean:
	rm -rf $(VENV) .venv-locked $(TOUR) docs/_build sbom.json
