# make demo: writes GPT-2's initial weights and proves them.  make test: everything CI requires.
# Needs Python 3.10 or later, a C++20 compiler for speed, and a package index.
PYTHON ?= python3
PYTHON38 ?= python3.8
VENV ?= .venv
DEMO ?= demo
ifeq ($(OS),Windows_NT)
SHELL = bash
BIN = $(VENV)/Scripts
else
BIN = $(VENV)/bin
endif
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check
SOURCES = pyproject.toml CMakeLists.txt $(shell find src native -type f -not -name '*.pyc' -not -name '*.so')
CASES ?= 10000
SEEDS ?= 0:200

.PHONY: demo test lint test-core test-quick test-frameworks test-pure test-oldest hooks clean
.PHONY: oracle oracle-vectors oracle-tf21 oracle-tf24 oracle-xla oracle-jax oracle-torch oracle-keras oracle-captures
.PHONY: audit contract presets check-libm exhaustive exhaustive-tensorflow bench sanitize neon wheel wheels
.PHONY: kills

demo: $(VENV)/installed
	$(BIN)/glorot init examples/gpt2-124m.json --recipe gpt2 --seed 42 --out $(DEMO) --force
	$(BIN)/glorot verify $(DEMO) --recipe gpt2 --seed 42

test: lint test-core test-frameworks test-pure

lint: $(VENV)/lint
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

test-core: $(VENV)/core
	$(BIN)/python -m pytest -n auto tests/core

# Without the slow ones, under a minute: between one change and the next.
test-quick: $(VENV)/core
	$(BIN)/python -m pytest -n auto -m "not slow" tests/core

test-frameworks: $(VENV)/frameworks
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/frameworks

# Every adapter against NumPy: the matrix of frameworks, laws and dtypes, and docs/contract.md.
contract: $(VENV)/frameworks
	$(BIN)/python tests/frameworks/contract_matrix.py --markdown

# Installs without a compiler, and compares the bytes with the kernel's.
test-pure: $(VENV)/installed
	tools/check_pure.sh $(BIN)/python

# With the oldest versions that pyproject.toml allows; PYTHON=python3.10 for the oldest Python too.
test-oldest:
	rm -rf $(VENV)-oldest
	PIP_CONSTRAINT=$(CURDIR)/tests/oldest.txt PIP_BUILD_CONSTRAINT=$(CURDIR)/tests/oldest.txt \
	  $(MAKE) VENV=$(VENV)-oldest test-core

# Runs format, lint and types before each commit.
hooks: $(VENV)/lint
	$(BIN)/pre-commit install

# The long comparisons, with programs that share nothing with the library.
oracle: oracle-vectors oracle-tf21 oracle-tf24 oracle-xla oracle-jax check-libm oracle-torch oracle-keras oracle-captures

oracle-vectors: $(VENV)/core
	$(BIN)/python tests/oracle/make_vectors.py --check
	$(BIN)/python tests/oracle/make_initializer_vectors.py --check

oracle-tf21: $(VENV)/frameworks
	tests/oracle/run.sh $(BIN)/python $(BIN)/python $(CASES)

# Twice, the second time with torch as on a CPU without AVX2.
oracle-torch: $(VENV)/frameworks
	$(BIN)/python tests/oracle/make_torch_vectors.py --check
	for capability in avx2 default; do export ATEN_CPU_CAPABILITY=$$capability; \
	  $(BIN)/python tests/oracle/torch_draws.py --cases 10000 && \
	  $(BIN)/python tests/oracle/torch_box_muller.py || exit 1; done

# On each backend, on JAX without 64 bits and with them; and as on processors without FMA, where
# that changes last bits.
oracle-keras: $(VENV)/frameworks
	$(BIN)/python tests/oracle/make_keras_vectors.py --check
	for backend in tensorflow torch jax numpy; do \
	  $(BIN)/python tests/oracle/keras_draws.py $$backend --cases $(CASES) || exit 1; done
	$(BIN)/python tests/oracle/keras_draws.py jax --x64 --cases $(CASES)
	export ATEN_CPU_CAPABILITY=default; \
	$(BIN)/python tests/oracle/keras_draws.py torch --cases 1000 --arithmetic aten-default && \
	export GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2 && \
	for backend in tensorflow torch; do $(BIN)/python tests/oracle/keras_draws.py \
	  $$backend --cases 1000 --arithmetic default || exit 1; done

oracle-tf24: $(VENV)/core $(VENV)-tf24/installed
	tests/oracle/run.sh $(BIN)/python $(VENV)-tf24/bin/python $(CASES)

# XLA's float64 erf_inv against the jaxlib that is installed.
oracle-xla: $(VENV)/frameworks
	$(BIN)/python tests/oracle/make_xla_vectors.py --check
	$(BIN)/python tests/oracle/make_xla_vectors.py --compare 100000000

# What glorot.torch.capture makes of models' own code, against what that code draws: docs/sources.md.
oracle-captures: $(VENV)/frameworks
	for which in small types timm; do \
	  $(BIN)/python -W ignore tests/oracle/captures.py $$which || exit 1; done

# Measures the presets against their sources' own code: docs/presets.md, tests/vectors/presets.
presets: $(VENV)/frameworks
	$(BIN)/python -W ignore tests/oracle/presets.py --write

# The C library's functions in NumPy and C++ against the one that runs here (x86-64, glibc).
check-libm: $(VENV)/core
	$(BIN)/python tests/oracle/make_libm_vectors.py --check
	tools/check_libm.sh $(BIN)/python

# JAX and flax: 10,000 and 2,000 random cases, every mantissa of a float32 normal, the known answers.
oracle-jax: $(VENV)/frameworks
	$(BIN)/python tests/oracle/jax_cases.py --cases $(CASES)
	$(BIN)/python tests/oracle/flax_cases.py --cases 2000
	$(BIN)/python tests/oracle/jax_exhaustive.py
	$(BIN)/python tests/oracle/make_jax_vectors.py --check

# The normal law on all 2**32 words.
exhaustive: $(VENV)/core
	$(BIN)/python tools/check_normal_exhaustively.py

# Every radius and every angle of TensorFlow's float32 normal, from TensorFlow itself.
exhaustive-tensorflow: $(VENV)/frameworks
	$(BIN)/python tests/oracle/tensorflow_exhaustive.py

# Correct models of 200 seeds, of which the audit may blame none. A run that was stopped goes on;
# SEEDS=0:100 is half of it, and the records of parts add up.
audit: $(VENV)/frameworks
	$(BIN)/python -W ignore tests/oracle/audit_false_alarms.py --seeds $(SEEDS) --record build/audit.jsonl

# Killed twenty times at random moments and resumed, by one process and by three: the same bytes.
kills: $(VENV)/core
	$(BIN)/python tests/oracle/kill_and_resume.py --kills 20 --gigabytes 2.1
	$(BIN)/python tests/oracle/kill_and_resume.py --kills 20 --gigabytes 2.1 --ranks 3
	$(BIN)/python tests/oracle/kill_and_resume.py --kills 20 --gigabytes 2.1 --ranks 3 --hosts

bench: $(VENV)/frameworks
	$(BIN)/python -m benchmarks

# The kernel body under address and undefined-behaviour sanitizers.
sanitize:
	tools/check_native.sh sanitize

# The NEON kernel, cross-compiled and run in an emulator (Debian: g++-aarch64-linux-gnu qemu-user).
neon:
	tools/check_native.sh neon

# This machine's wheel, tested where src/ is not; ALSO names more Pythons that must run it.
wheel:
	tools/check_wheel.sh $(PYTHON) $(ALSO)

# All of this system's wheels, as they are released.
wheels: $(VENV)/bin/python
	$(PIP) install --group wheel
	$(BIN)/python -m cibuildwheel --output-dir dist

clean:
	rm -rf build dist $(DEMO) $(VENV) $(VENV)-oldest $(VENV)-tf24

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip

$(VENV)/installed: $(SOURCES) | $(BIN)/python
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
$(VENV)/frameworks: $(VENV)/core tests/frameworks.txt tests/frameworks-alone.txt
	$(PIP) install $$(grep '^torch==' tests/frameworks.txt)
	$(PIP) install -r tests/frameworks.txt
	$(PIP) install --no-deps -r tests/frameworks-alone.txt
	$(PIP) install --no-deps tf_keras==$$(sed -n 's/^tensorflow-cpu==//p' tests/frameworks.txt)
	@touch $@

$(VENV)-tf24/installed: tests/oracle/tensorflow-2.4.txt
	@$(PYTHON38) --version 2>/dev/null | grep -q ' 3\.8\.' || { echo >&2 \
	  "TensorFlow 2.4 needs Python 3.8, and PYTHON38=$(PYTHON38) is none." \
	  "Give the path of one, or run the other comparisons alone:" \
	  "make oracle-vectors oracle-tf21"; exit 1; }
	$(PYTHON38) -m venv $(VENV)-tf24
	$(VENV)-tf24/bin/python -m pip --quiet --disable-pip-version-check install -r $<
	@touch $@
