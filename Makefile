# `make demo` and `make test` set everything up by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := 0.13.9
NAMES ?=
SECONDS ?= 600

.PHONY: demo test test-all check bench attacks fuzz build verify requirements clean

demo: $(VENV)/.ready
	$(BIN)/autograder demo $(NAMES)

test: $(VENV)/.ready
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: $(VENV)/.ready
	$(BIN)/python -m pytest

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check autograder reference_impl tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.ready
	$(BIN)/python benchmarks/speed.py

# A finding ends the run; its input is then a file crash-…, timeout-… or oom-… in .fuzz.
fuzz: $(VENV)/.ready
	$(BIN)/uv pip install --quiet --python $(BIN)/python --group fuzz
	mkdir -p .fuzz/corpus
	$(BIN)/python -W ignore -m tests.fuzz.fuzz .fuzz/corpus -max_total_time=$(SECONDS) \
	  -max_len=65536 -rss_limit_mb=3000 -timeout=20 -artifact_prefix=.fuzz/

attacks: $(VENV)/.ready
	$(BIN)/python tests/attacks/table.py

build: $(VENV)/.ready
	$(BIN)/autograder build $(NAMES)

verify: $(VENV)/.ready
	$(BIN)/autograder verify $(NAMES)

requirements: $(VENV)/.ready
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	  --no-header --no-annotate --no-emit-index-url --output-file requirements.txt

$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

clean:
	rm -rf $(VENV) demo dist grading .pytest_cache .mypy_cache .ruff_cache
