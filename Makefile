# Each target sets up what it needs, in a virtual environment inside this folder.
#
#   make run                          the quickstart scenario
#   make test ARGS="-k matrix"        the tests, all or some
#   make gallery-table               measures the gallery, and writes the table of docs/gallery.md
#   make test PYTHON=python3.13 VENV=.venv-3.13

VENV ?= .venv
PYTHON ?= $(shell tools/find_python)
ARGS ?=

BIN := $(VENV)/bin
# Editable installs make setuptools warn of folders named like the package, which is how they work.
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check
CODE := ctxsim tests benchmarks scenarios tools

.PHONY: run test lint format bench soak gallery gallery-table clean

run: $(VENV)/.installed
	@$(BIN)/ctxsim run scenarios/quickstart.yaml

# Each cell imports ctxsim anew, so it is compiled beforehand. The tests' applications are not: one
# that is written twice in a second, with as many letters, would be taken for the one before.
test: $(VENV)/.installed-all
	@tools/get_chromium
	@$(BIN)/python -m compileall -q ctxsim
	@PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

lint: $(VENV)/.installed-all
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/check_style.py

format: $(VENV)/.installed-all
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

bench: $(VENV)/.installed-all
	@$(BIN)/python benchmarks

soak: $(VENV)/.installed-all
	@$(BIN)/python benchmarks/soak.py $(ARGS)

gallery: $(VENV)/.installed-all
	@$(BIN)/ctxsim gallery --all $(ARGS)

gallery-table: $(VENV)/.installed
	@sed '/^| entry | workers /,$$d' docs/gallery.md > docs/gallery.md.new
	@$(BIN)/ctxsim gallery --table >> docs/gallery.md.new
	@mv docs/gallery.md.new docs/gallery.md

clean:
	rm -rf $(VENV) .venv-3.* .ctxsim build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@tools/make_venv "$(PYTHON)" "$(VENV)"

# Stamps, so that pip runs again only when pyproject.toml has changed.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing ctxsim into $(VENV) (once)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-all: pyproject.toml | $(BIN)/python
	@echo "Installing ctxsim and what its tests and checks need into $(VENV) (once)"
	@$(PIP) --editable '.[test,lint]'
	@touch $(VENV)/.installed $@
