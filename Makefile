# `make demo` walks the whole way on real data; `make test` runs every check. Both create the environment they need.

VENV ?= .venv
INTEGRATIONS ?= .venv-integrations
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test test-full test-integrations bench lint clean

demo: $(VENV)/.demo
	@$(BIN)/tacit demo

# Compiled files are kept even where the caller's environment says not to: dozens of tests start Pythons of their own.
test: $(VENV)/.test lint
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-full: $(VENV)/.test lint test-integrations
	@TACIT_REQUIRE=chromium,data $(BIN)/python -m pytest -n 2 -m 'slow or not slow'

# Hugging Face, PEFT and Lightning have an environment of their own: tacit needs none of them. There, what is absent fails.
test-integrations: $(INTEGRATIONS)/.test
	@TACIT_REQUIRE=integrations $(INTEGRATIONS)/bin/python -m pytest -n 2 -m 'slow or not slow' tests/train/test_integrations.py

lint: $(VENV)/.test
	@$(BIN)/ruff check src tests bench examples
	@$(BIN)/ruff format --check src tests bench examples
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: $(VENV)/.test
	@mkdir -p runs
	@for one in startup noise ledger accounting tables audit anonymize anonymize_scale recognition synthetic training; do $(BIN)/python bench/$$one.py --json runs/bench-$$one.json || exit 1; done

# Removes what the demo and the studies left, ledgers included: what was spent is forgotten, so only for made-up or public data.
clean:
	rm -rf runs

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "tacit needs Python 3.11, 3.12 or 3.13; none was found. Install one, or: make PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints/base.txt
	$(PIP) install --quiet -c constraints/base.txt torch
	$(PIP) install --quiet -c constraints/base.txt -e '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/.demo constraints/test.txt
	$(PIP) install --quiet -c constraints/base.txt -r constraints/test.txt
	$(PIP) check
	@touch $@

$(INTEGRATIONS)/.test: pyproject.toml constraints/base.txt constraints/test.txt constraints/integrations.txt | $(VENV)/bin/python
	$(BIN)/python -m venv $(INTEGRATIONS)
	$(INTEGRATIONS)/bin/python -m pip --disable-pip-version-check install --quiet -c constraints/base.txt torch
	$(INTEGRATIONS)/bin/python -m pip --disable-pip-version-check install --quiet -c constraints/base.txt -e '.[demo]'
	$(INTEGRATIONS)/bin/python -m pip --disable-pip-version-check install --quiet -c constraints/base.txt -r constraints/test.txt -r constraints/integrations.txt
	$(INTEGRATIONS)/bin/python -m pip --disable-pip-version-check check
	@touch $@
