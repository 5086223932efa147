"""Importing the package is cheap and registers `.hsi`."""

import subprocess
import sys

import pytest

import hsi_xr

HEAVY = ("torch", "rasterio", "osgeo", "pystac", "matplotlib")


def run_fresh(*lines: str) -> str:
    """Runs lines in a new interpreter and returns what they print."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded(*lines: str) -> set[str]:
    """Returns the heavy modules that lines import in a new interpreter."""
    names = run_fresh(*lines, "import sys", "print(*sys.modules, file=sys.stdout)").split()
    return {"xarray", "rioxarray", *HEAVY} & set(names)


def test_importing_the_package_loads_nothing_but_xarray():
    assert loaded("import hsi_xr") == {"xarray"}


@pytest.mark.parametrize("arguments", [["--help"], ["reconstruct", "--help"], ["--version"]])
def test_help_loads_neither_torch_nor_gdal(arguments):
    run = f"from hsi_xr.cli import cli; cli({arguments!r}, standalone_mode=False)"
    assert loaded("import sys, io", "out, sys.stdout = sys.stdout, io.StringIO()", run,
                  "sys.stdout = out") == {"xarray"}  # fmt: skip


@pytest.mark.parametrize("imports", ["import xarray, hsi_xr", "import hsi_xr, xarray"])
def test_the_accessor_is_registered_in_any_order(imports):
    names = "xarray.DataArray([0]).hsi, xarray.Dataset().hsi"
    assert run_fresh(imports, f"print(*(type(a).__module__ for a in ({names})))") == (
        "hsi_xr.accessor hsi_xr.accessor"
    )


def test_importing_the_package_adds_no_import_hook():
    code = "print(any('hsi_xr' in type(finder).__module__ for finder in sys.meta_path))"
    assert run_fresh("import sys, hsi_xr", code) == "False"


@pytest.mark.parametrize("name", hsi_xr.__all__)
def test_every_public_name_resolves_and_is_listed(name):
    assert name in dir(hsi_xr)
    assert getattr(hsi_xr, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="reconstuct"):
        hsi_xr.reconstuct  # noqa: B018
