# make demo: writes GPT-2's initial weights and proves them.  make test: everything CI checks.
# Needs Python 3.10 or later, a C++20 compiler for speed, and a package index.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check
SOURCES = pyproject.toml CMakeLists.txt $(shell find src native -type f -not -name '*.pyc' -not -name '*.so')
DEMO ?= demo

.PHONY: demo test test-core test-frameworks lint oracle exhaustive bench sanitize neon wheel clean

demo: $(VENV)/installed
	@rm -rf $(DEMO)
	$(BIN)/glorot init examples/gpt2-124m.json --recipe gpt2 --seed 42 --out $(DEMO)
	$(BIN)/glorot verify $(DEMO) --recipe gpt2 --seed 42

test: lint test-core test-frameworks

test-core: $(VENV)/core
	$(BIN)/python -m pytest tests/core

test-frameworks: $(VENV)/frameworks
	$(BIN)/python -m pytest tests/frameworks

lint: $(VENV)/lint
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

# Thousands of cases against installed frameworks, TensorFlow 2.4.4 among them (PYTHON38).
oracle: $(VENV)/frameworks
	$(BIN)/python -m pytest -m oracle tests/oracle
	tests/oracle/run.sh $(BIN)/python

# The normal law on all 2**32 words.
exhaustive: $(VENV)/core
	$(BIN)/python tools/check_normal_exhaustively.py

bench: $(VENV)/frameworks
	$(BIN)/python -m benchmarks

# The kernel tests under address and undefined-behaviour sanitizers.
sanitize:
	tools/check_native.sh sanitize

# The NEON kernel, cross-compiled and run in an emulator (Debian: g++-aarch64-linux-gnu qemu-user).
neon:
	tools/check_native.sh neon

# A wheel, tested with src/ out of reach.
wheel: $(VENV)/core
	tools/check_wheel.sh $(BIN)/python

clean:
	rm -rf build dist $(DEMO) $(VENV)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip

$(VENV)/installed: $(VENV)/bin/python $(SOURCES)
	$(PIP) install .
	@touch $@

$(VENV)/core: $(VENV)/installed
	$(PIP) install --group test
	@touch $@

$(VENV)/lint: $(VENV)/core
	$(PIP) install --group lint
	@touch $@

# torch alone first: its pinned CPU build must be there before anything else asks for a torch.
# tf_keras without its dependencies, which would bring a second TensorFlow.
$(VENV)/frameworks: $(VENV)/core tests/frameworks.txt
	$(PIP) install $$(grep '^torch==' tests/frameworks.txt)
	$(PIP) install -r tests/frameworks.txt
	$(PIP) install --no-deps tf_keras==$$(sed -n 's/^tensorflow-cpu==//p' tests/frameworks.txt)
	@touch $@
