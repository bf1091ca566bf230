# Every target builds .venv on first use, from the best Python found; PYTHON=/path/to/python overrides.
.DEFAULT_GOAL := demo
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3.14 python3 python; do \
	command -v $$name >/dev/null 2>&1 && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { command -v $$name; break; }; done)

define NO_PYTHON
cxr-cockpit needs Python 3.11 or newer; none was found on the PATH. (Apple's own python3 is 3.9.6: torch stops
at 2.8 there.) Ways to get one:
  macOS   brew install python@3.13          or the installer from python.org
  Debian  apt-get install python3 python3-venv
  any     uv python install 3.13            then: make PYTHON="$$(uv python find 3.13)"
Then run the same command again, or name an interpreter: make PYTHON=/path/to/python3.13
endef
export NO_PYTHON

.PHONY: demo test quick soak lint format screenshots bench clean

# Processes that the tests run in, on two cores; each takes a file at a time, the slow ones first.
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
.venv: $(READY)

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "$$NO_PYTHON" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$NO_PYTHON" >&2; exit 1; }
	@echo "setting up $(VENV): about 1.5 GB of packages, once"
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

demo: $(READY)
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/cxr-cockpit demo; else $(BIN)/cxr-cockpit demo --headless; fi

test: $(READY)
	$(PYTEST)

# For every change: lint, and the tests that start no engine, train nothing and draw no screen.
QUICK = tests/test_*.py tests/engine/test_*.py tests/engine/data tests/engine/files tests/engine/metrics \
	tests/engine/phantom tests/engine/runs tests/engine/words
quick: lint
	$(PYTEST) -m "not slow" $(QUICK)

# What takes too long for every change: half an hour of deaths and resumes.
soak: $(READY)
	$(BIN)/cxr-cockpit bench resume --kills 50

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

screenshots: $(READY)
	$(BIN)/python scripts/screenshots.py

bench: $(READY)
	$(BIN)/cxr-cockpit bench cockpit

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache
