"""Files and cubes to read and write, without symmetries."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning

from hsi_xr.io.georef import coordinates
from tests.scenes import DATA, real

UTM = CRS.from_epsg(32633)
GRID = Affine(0.1, 0.0, 500_000 + 1 / 3, 0.0, -0.1, 4_650_000.7)
TURNED = Affine(0.1, 0.02, 500_000 + 1 / 3, 0.02, -0.1, 4_650_000.7)
ATTRS = {
    "title": "a cube",
    "hsi_xr_version": "0.1.0",
    "hsi_xr_model": "r2h_base",
    "hsi_xr_model_sha256": "0" * 64,
    "hsi_xr_seed": 7,
    "hsi_xr_scale": 1.25,
    "hsi_xr_radiometry": "reflectance",
    "hsi_xr_source": "scene & <field>.tif",
    "hsi_xr_reconstructed": "YES",
    "datetime": "2026-01-02T03:04:05Z",
}


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Writes (bands, rows, columns) as a GeoTIFF and returns its path."""

    def save_(pixels: np.ndarray, name: str = "scene.tif", **profile: object) -> Path:
        count, height, width = pixels.shape
        settings = {"driver": "GTiff", "crs": UTM, "transform": GRID, "dtype": pixels.dtype}
        settings |= {"count": count, "height": height, "width": width, **profile}
        given = {key: value for key, value in settings.items() if value is not None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(tmp_path / name, "w", **given) as file:
                file.write(pixels)
        return tmp_path / name

    return save_


@pytest.fixture
def rgb_image() -> Callable[..., np.ndarray]:
    """(bands, rows, columns) of uint8 in 1..255, brighter to the east."""

    def rgb_image_(rows: int = 300, columns: int = 517, bands: int = 3) -> np.ndarray:
        texture = np.random.default_rng(0).uniform(0.2, 1, (bands, rows, columns))
        return (texture * np.linspace(40, 255, columns)).astype("uint8").clip(1)

    return rgb_image_


@pytest.fixture
def cube() -> Callable[..., xr.Dataset]:
    """A cube as `reconstruct` returns it, in memory or in dask chunks, with NaN in it."""

    def cube_(
        rows: int = 300,
        columns: int = 517,
        bands: int = 5,
        *,
        chunks: dict[str, object] | None = None,
        transform: Affine = GRID,
        crs: CRS | None = UTM,
    ) -> xr.Dataset:
        rng = np.random.default_rng(rows * columns)
        values = rng.uniform(0, 0.6, (bands, rows, columns)).astype("float32")
        values *= np.linspace(0.3, 1.4, columns, dtype="float32")
        values[:, rng.uniform(size=(rows, columns)) < 0.03] = np.nan
        values[:, rows // 2 :, : columns // 4] = np.nan
        georeference = coordinates(transform, crs, (rows, columns))
        centres = np.linspace(400, 700, bands) + 0.123456 * np.arange(bands)
        array = xr.DataArray(
            values,
            dims=("band", "y", "x"),
            coords={
                "band": np.arange(1, bands + 1),
                "wavelength": ("band", centres, {"units": "nm"}),
                "fwhm": ("band", np.linspace(9.5, 11, bands), {"units": "nm"}),
                **georeference,
            },
            attrs={
                "units": "1",
                "standard_name": "surface_bidirectional_reflectance",
                "comment": "model estimate, not a measurement",
            },
        )
        dataset = xr.Dataset({"reflectance": array}, attrs=ATTRS)
        return dataset if chunks is None else dataset.chunk(chunks)

    return cube_


@pytest.fixture(scope="session")
def real_scenes() -> list[Path]:
    """The RGB GeoTIFFs of the shared data."""
    if not real():
        pytest.skip(f"no scenes in {DATA}; set HSI_XR_DATA to the folder of the shared data")
    return real()
