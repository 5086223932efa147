"""Products in every format that a GIS opens, and what QGIS reads from them."""

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from rasterio.crs import CRS

import hsi_xr
from hsi_xr.io.georef import coordinates
from hsi_xr.io.preview import write_thumbnail
from tests.scenes import GRID, UTM, ground

FORMATS = {"cog": "cog.tif", "geotiff": "geotiff.tif", "envi": "envi.img"}
STEP = 7
"""Distance between the pixels on the diagonal that are identified."""
_PYTHON = "/usr/bin/python3"  # PyQGIS is installed for the Python of the system
_LOOK = Path(__file__).with_name("look.py")


@dataclass(frozen=True)
class InQgis:
    """A cube, and what QGIS reads from its products."""

    cube: xr.Dataset
    folder: Path
    rasters: dict[str, Any]
    """File name -> the result of `look.inspect`."""

    def drawn(self, name: str) -> np.ndarray:
        """Returns a raster as QGIS draws it, (4, rows, columns): red, green, blue, opacity."""
        image = pytest.importorskip("PIL.Image")
        return np.moveaxis(
            np.asarray(image.open(self.folder / f"{name}.png").convert("RGBA")), 2, 0
        )


@pytest.fixture(scope="session")
def cube() -> xr.Dataset:
    """301 x 523 px with holes, brighter to the south-east; wavelengths are not integers."""
    values = ground(301, 523) * np.linspace(0.2, 0.5, 301, dtype="float32")[:, None]
    values[:, np.random.default_rng(0).uniform(size=(301, 523)) < 0.03] = np.nan
    values[:, 200:, :100] = np.nan
    centres = np.linspace(400, 700, 31) + 0.123456 * np.arange(31)
    array = xr.DataArray(
        values,
        dims=("band", "y", "x"),
        coords={
            "wavelength": ("band", centres, {"units": "nm"}),
            "fwhm": ("band", np.linspace(9.5, 11, 31), {"units": "nm"}),
            **coordinates(GRID, CRS.from_string(UTM), (301, 523)),
        },
        attrs={"units": "1", "comment": "model estimate, not a measurement"},
    )
    attrs = {"hsi_xr_reconstructed": "YES", "hsi_xr_version": hsi_xr.__version__}
    provenance = {"hsi_xr_model": "none", "hsi_xr_seed": 0, "hsi_xr_radiometry": "reflectance"}
    cubes = {"reflectance": array, "reflectance_std": array / 10}
    return xr.Dataset(cubes, attrs={**attrs, **provenance, "datetime": "2026-01-02T03:04:05Z"})


@pytest.fixture(scope="session")
def products(cube, tmp_path_factory) -> Path:
    """A folder with a product in each format, its item and preview; one has uncertainty."""
    folder = tmp_path_factory.mktemp("products")
    for format, name in FORMATS.items():
        written = cube if format == "cog" else cube.drop_vars("reflectance_std")
        path = hsi_xr.write(written, folder / name, format=format)
        write_thumbnail(path)
        item = hsi_xr.describe(path).to_dict(include_self_link=False)
        path.with_suffix(".json").write_text(json.dumps(item))
    return folder


@pytest.fixture(scope="session")
def in_qgis(cube, products, tmp_path_factory) -> InQgis:
    """All products, opened, identified and drawn by one headless QGIS."""
    if not _has_qgis():
        pytest.skip(f"{_PYTHON} has no PyQGIS: `make system-packages` installs it")
    folder, home = tmp_path_factory.mktemp("in_qgis"), tmp_path_factory.mktemp("home")
    home.chmod(0o700)  # Qt requires a private runtime folder
    rasters = [products / name for name in [*FORMATS.values(), "cog_std.tif"]]
    printed = subprocess.run(
        [_PYTHON, _LOOK, folder, str(STEP), *rasters],
        env={
            "PATH": os.defpath,
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "QT_QPA_PLATFORM": "offscreen",
        },
        capture_output=True,
        check=True,
        timeout=300,
    ).stdout
    rasters_by_name = {Path(path).name: each for path, each in json.loads(printed).items()}
    return InQgis(cube, folder, rasters_by_name)


@cache
def _has_qgis() -> bool:
    try:
        done = subprocess.run([_PYTHON, "-c", "import qgis.core"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
