# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
SCRIPTS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
BIN := $(VENV)/$(SCRIPTS)
TOUR ?= azogue-tour
# An environment that has nothing but the wheel.
CLEAN ?= build/clean

.PHONY: run test test-locked lint types mutants coverage bench standings faults fuzz docs dist wheel-check lock licences sbom clean

run: $(VENV)/.installed
	$(BIN)/azogue tour --output $(TOUR)

test: $(VENV)/.docs lint types
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not mutants"
	$(BIN)/python -m pytest -q tests/test_mutants.py -n 2 -m mutants
	$(BIN)/python -m sphinx -W -q -j 2 -b html -D plot_gallery=0 docs docs/_build/checked

lint: $(VENV)/.dev
	$(BIN)/ruff check src tests benchmarks examples tools
	$(BIN)/ruff format --check src tests benchmarks examples tools

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
	$(BIN)/python benchmarks/studio.py

# The commands of docs/standings.md again: make standings ONLY="hashing speed"
standings: $(VENV)/.bench
	$(BIN)/python benchmarks/standings.py $(ONLY)

faults: $(VENV)/.dev
	$(BIN)/python benchmarks/faults.py

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

# Runs the gallery; `make test` builds the pages without that, and its tests run the examples.
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -W -b html docs docs/_build

dist: $(VENV)/.dist
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

wheel-check: dist
	$(PYTHON) -m venv --clear $(CLEAN)
	$(CLEAN)/$(SCRIPTS)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) dist/azogue-*.whl
	cd build && $(abspath $(CLEAN))/$(SCRIPTS)/azogue tour --output wheel-tour
	@echo "The wheel alone passes the tour: build/wheel-tour/index.html"

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Azogue needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/.made
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

$(VENV)/.dist: | $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "build>=1.2"
	@touch $@

clean:
	rm -rf $(VENV) .venv-locked $(TOUR) docs/_build docs/gallery build dist sbom.json
