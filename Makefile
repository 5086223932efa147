# make demo   install, then render a scene, reconstruct it, write COG, STAC item and preview
# make test   install, then everything that guards a change
# make bench  install, then the timed tests (minutes)
# make system-packages  as root, on Debian: QGIS, its Python, gdalinfo; tests that look with them run

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

APT := DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=60 \
    -o Acquire::Retries=1 -o Acquire::http::Timeout=20

.PHONY: demo test bench system-packages clean

demo: $(VENV)/installed
	$(BIN)/hsi-xr demo --overwrite

test: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal

bench: $(VENV)/installed-dev
	$(BIN)/pytest -s tests/benchmarks

system-packages:
	gdalinfo --version && /usr/bin/python3 -c "import qgis.core" || { \
	    $(APT) update && $(APT) install -y --no-install-recommends qgis python3-qgis gdal-bin; }

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
