# make demo             Install the package, render a scene, reconstruct it; write COG, STAC, preview
# make test             Install the development tools, then run every check that guards a change
# make docs             Build the documentation into site/, failing on any warning
# make bench            Run the timed tests (takes minutes)
# make system-packages  As root on Debian: install QGIS, its Python and gdalinfo for the GIS tests

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

APT := DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=60 \
    -o Acquire::Retries=1 -o Acquire::http::Timeout=20

.PHONY: demo test docs bench system-packages clean

demo: $(VENV)/installed
	$(BIN)/hsi-xr demo --overwrite

test: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal

docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: $(VENV)/installed-dev
	$(BIN)/pytest -s tests/benchmarks

system-packages:
	gdalinfo --version && /usr/bin/python3 -c "import qgis.core" || { \
	    $(APT) update && $(APT) install -y --no-install-recommends qgis python3-qgis gdal-bin; }

clean:
	rm -rf $(VENV) site

$(VENV)/pip:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'  # --group needs it
	touch $@

$(VENV)/installed: $(VENV)/pip pyproject.toml constraints.txt
	$(INSTALL) --editable '.[viz]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(INSTALL) --group dev
	touch $@
