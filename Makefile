# Two commands: `make demo` finds tickets on the bundled data, `make test` runs every check.
# Each sets up what it needs in .venv, once. Other builds of torch: make demo PIP_ARGS="..."

PYTHON ?= python3
PIP_ARGS ?= -c constraints.txt
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find cpp -name '*.cpp' -o -name '*.h' -o -name '*.hpp' -o -name '*.inl' -o -name '*.c' -o -name '*.cmake' -o -name CMakeLists.txt 2>/dev/null)
PIP := $(BIN)/pip install --quiet --disable-pip-version-check $(PIP_ARGS)

.PHONY: demo test lint types cpp python scalar scalar-engine scalar-rest slow wheel clean

# All that the C++ tests need: they run while torch is still being installed.
$(VENV)/.tools: constraints.txt
	@echo "setting up $(VENV) (torch is large: the first time takes a while)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) cmake ninja
	@touch $@

# torch first: the operators are compiled against the torch that is installed, without isolation.
# PATH: cmake and ninja may come from the environment alone.
$(VENV)/.ready: $(VENV)/.tools pyproject.toml $(SOURCES)
	$(PIP) "torch>=2.10" numpy "scikit-build-core>=0.10"
	PATH="$(CURDIR)/$(BIN):$$PATH" $(PIP) --no-build-isolation -e ".[dev]"
	@touch $@

demo: $(VENV)/.ready
	$(BIN)/ticket find --method unilth --replicates 3 --controls reinit,random
	$(BIN)/ticket verify lenet-300-100

# The parts two at a time, each one's output whole when it is done.  In an order that leaves no core
# without work: what waits for its processes beside the C++ tests, the shorter half last.
test: $(VENV)/.tools
	@$(MAKE) --no-print-directory -j 2 -O cpp slow lint types python scalar-engine scalar-rest

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

# The kernels' own tests, under the address and undefined-behaviour sanitizers.
cpp: $(VENV)/.tools
	@if command -v c++ >/dev/null || command -v g++ >/dev/null; then \
	  PATH="$(CURDIR)/$(BIN):$$PATH" cmake -S cpp -B build/cpp -G Ninja -DTICKET_TESTS=ON -DTICKET_SANITIZE=ON >/dev/null && \
	  MAKEFLAGS= PATH="$(CURDIR)/$(BIN):$$PATH" cmake --build build/cpp && \
	  PATH="$(CURDIR)/$(BIN):$$PATH" ctest --test-dir build/cpp -j 2 --output-on-failure; \
	else \
	  echo "NOT RUN: the C++ tests. There is no C++ compiler; install one (g++) and run make test again"; \
	fi

python: $(VENV)/.ready
	$(BIN)/python -m pytest --durations=8

# What trains for seconds, starts or kills processes: a part of its own, so that both cores have work.
slow: $(VENV)/.ready
	$(BIN)/python -m pytest -m slow --durations=8

# The whole default suite once more on the reference kernels, in two halves.
scalar: scalar-engine scalar-rest

scalar-engine: $(VENV)/.ready
	TICKET_ISA=scalar $(BIN)/python -m pytest -q tests/engine

scalar-rest: $(VENV)/.ready
	TICKET_ISA=scalar $(BIN)/python -m pytest -q --ignore=tests/engine

wheel: $(VENV)/.ready
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pip wheel $(PIP_ARGS) --no-deps --no-build-isolation -w dist .

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
