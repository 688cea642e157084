# Each target sets itself up: a virtual environment in .venv, and the package installed in it.

PYTHON ?= python3
VENV ?= .venv
TSC ?= tsc
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test check check-js format bench native sanitize notebook docs reference build clean

demo: $(VENV)/.installed
	$(BIN)/cutaway generate "Once upon a time"

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses auto

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.decode
	$(BIN)/python -m benchmarks.parity
	$(BIN)/python -m benchmarks.native

notebook: $(VENV)/.installed-dev
	$(BIN)/python scripts/run_notebook.py notebooks/inside.ipynb build/notebook

# Runs every cell of the guide. While writing, `make docs CUTAWAY_DOCS_CACHE=1` runs only cells that changed.
docs: export CUTAWAY_DOCS_CACHE := $(CUTAWAY_DOCS_CACHE)
docs: export HF_HUB_OFFLINE := 1
docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -j auto -b html docs build/docs
	@echo "open build/docs/index.html"

# The pages that are made from the program; a test fails while they are stale.
reference: $(VENV)/.installed-dev
	$(BIN)/python scripts/write_reference.py

# The types of the pages' scripts. TSC is the TypeScript compiler, which npm installs; nothing is downloaded here.
check-js:
	$(TSC) --project .

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Installing compiles the kernels too; this is for after a change of a C++ file.
native: $(VENV)/.installed-dev
	$(BIN)/python -m cutaway.native

# Leaks are not looked for: Python itself has some.
sanitize: $(VENV)/.installed-dev
	$(BIN)/python -m cutaway.native --sanitize --output build/kernels-sanitized.so
	CUTAWAY_NATIVE_LIBRARY=build/kernels-sanitized.so ASAN_OPTIONS=detect_leaks=0 \
		LD_PRELOAD="$$($${CXX:-c++} -print-file-name=libasan.so) $$($${CXX:-c++} -print-file-name=libubsan.so)" \
		$(BIN)/python -m pytest tests/test_native_model.py tests/test_native_cache.py \
		tests/test_native_choice.py tests/test_native_packed.py tests/test_weights_native.py \
		tests/test_weights_packed_file.py

build: $(VENV)/.installed-dev
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The empty files say when the environment was last brought up to date with pyproject.toml.
$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[docs]'
	@touch $@ $(VENV)/.installed
