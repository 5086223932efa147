# make demo   install, then render a scene, reconstruct it, write COG, STAC item and preview
# make test   install, then everything that guards a change
# make bench  install, then the timed tests (minutes)

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test bench clean

demo: $(VENV)/installed
	$(BIN)/hsi-xr demo --overwrite

test: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

bench: $(VENV)/installed-dev
	$(BIN)/pytest -s tests/benchmarks

clean:
	rm -rf $(VENV)

$(VENV)/pip:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'  # the first with --group
	touch $@

$(VENV)/installed: $(VENV)/pip pyproject.toml constraints.txt
	$(INSTALL) --editable '.[viz]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(INSTALL) --group dev
	touch $@
