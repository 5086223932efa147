"""What importing costs, and that `.hsi` is there whatever was imported first."""

import subprocess
import sys

import pytest

import hsi_xr

HEAVY = ("torch", "rasterio", "osgeo", "pystac", "matplotlib")


def fresh(*lines: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded(*lines: str) -> set[str]:
    """The heavy modules that are there after these lines ran in a new interpreter."""
    names = fresh(*lines, "import sys", "print(*sys.modules, file=sys.stdout)").split()
    return {"xarray", "rioxarray", *HEAVY} & set(names)


def test_importing_the_package_loads_nothing_heavy():
    assert loaded("import hsi_xr") == set()


def test_importing_it_beside_xarray_loads_xarray_alone():
    assert loaded("import hsi_xr, xarray") == {"xarray"}


@pytest.mark.parametrize("arguments", [["--help"], ["reconstruct", "--help"], ["--version"]])
def test_help_needs_no_xarray(arguments):
    run = f"from hsi_xr.cli import cli; cli({arguments!r}, standalone_mode=False)"
    assert loaded("import sys, io", "out, sys.stdout = sys.stdout, io.StringIO()", run,
                  "sys.stdout = out") == set()  # fmt: skip


@pytest.mark.parametrize(
    "imports",
    [
        "import xarray, hsi_xr",
        "import hsi_xr, xarray",
        "import hsi_xr, importlib.util; importlib.util.find_spec('xarray'); import xarray",
        "import hsi_xr; from xarray.core import dataarray; import xarray",
        "import hsi_xr, hsi_xr.cli; import xarray",
    ],
)
def test_the_accessor_is_registered_in_any_order(imports):
    names = "xarray.DataArray([0]).hsi, xarray.Dataset().hsi"
    assert fresh(imports, f"print(*(type(a).__module__ for a in ({names})))") == (
        "hsi_xr.accessor hsi_xr.accessor"
    )


def test_waiting_for_xarray_leaves_nothing_behind():
    found = fresh(
        "import hsi_xr, sys",
        "waiting = lambda: sum(type(f).__module__ == 'hsi_xr._register' for f in sys.meta_path)",
        "before = waiting()",
        "import xarray, importlib.resources",
        "print(before - waiting(), type(xarray.__loader__).__name__,",
        "      type(xarray.__spec__.loader).__name__,",
        "      importlib.resources.files('xarray').joinpath('static').is_dir())",
    )
    assert found == "1 SourceFileLoader SourceFileLoader True"


def test_threads_that_import_at_once_all_get_the_accessor():
    found = fresh(
        "import importlib, threading",
        "start = threading.Barrier(8)",
        "seen = []",
        "def load(name):",
        "    start.wait()",
        "    importlib.import_module(name)",
        "    import hsi_xr, xarray",
        "    seen.append(xarray.DataArray([0]).hsi is not None)",
        "names = ['xarray', 'hsi_xr', 'rioxarray', 'hsi_xr.errors'] * 2",
        "threads = [threading.Thread(target=load, args=(name,)) for name in names]",
        "for thread in threads: thread.start()",
        "for thread in threads: thread.join(60)",
        "print(seen == [True] * 8)",
    )
    assert found == "True"


def test_without_xarray_the_package_still_imports_and_says_what_is_missing():
    found = fresh(
        "import sys",
        "import importlib.machinery as m",
        "class Absent(m.PathFinder):",
        "    @classmethod",
        "    def find_spec(cls, name, path=None, target=None):",
        "        return None if name == 'xarray' else m.PathFinder.find_spec(name, path, target)",
        "sys.meta_path = [Absent if f is m.PathFinder else f for f in sys.meta_path]",
        "import hsi_xr",
        "try:",
        "    import xarray",
        "except ModuleNotFoundError as error:",
        "    print(error)",
    )
    assert found == "No module named 'xarray'"


@pytest.mark.parametrize("name", hsi_xr.__all__)
def test_every_public_name_resolves_and_is_listed(name):
    assert name in dir(hsi_xr)
    assert getattr(hsi_xr, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="reconstuct"):
        hsi_xr.reconstuct  # noqa: B018
