"""An estimated cube, uneven in every direction, and known spectra of its ground."""

import numpy as np
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from hsi_xr.io.georef import coordinates

UTM = CRS.from_epsg(32633)
GRID = Affine(0.5, 0, 500_000.25, 0, -0.4, 4_650_000.7)
CENTRES = np.arange(400.0, 701, 10)
SMOOTH = np.exp(0.3 + 0.1 * np.sin(CENTRES / 55))
"""A gain with a level far from 1 that varies over about 100 nm."""


def cube(
    rows: int = 61,
    columns: int = 83,
    *,
    chunks: dict[str, object] | None = None,
    transform: Affine = GRID,
    crs: CRS | None = UTM,
) -> xr.Dataset:
    """Reflectance from 0.05 to 0.5, brighter to the east; nodata in a corner."""
    rng = np.random.default_rng(rows)
    slopes = rng.uniform(-0.4, 0.4, (1, rows, columns))
    rise = np.linspace(-1, 1, len(CENTRES))[:, None, None]
    values = rng.uniform(0.1, 0.25, (1, rows, columns)) * (1 + slopes * rise)
    values = (values * np.linspace(0.7, 1.6, columns)).astype("float32")
    values[:, rows // 2 :, : columns // 4] = np.nan
    array = xr.DataArray(
        values,
        dims=("band", "y", "x"),
        coords={
            "band": np.arange(1, len(CENTRES) + 1),
            "wavelength": ("band", CENTRES, {"units": "nm"}),
            "fwhm": ("band", np.full(len(CENTRES), 10.0), {"units": "nm"}),
            **coordinates(transform, crs, (rows, columns)),
        },
        attrs={"units": "1", "comment": "model estimate, not a measurement"},
    )
    attrs = {
        "hsi_xr_reconstructed": "YES",
        "hsi_xr_version": "0.1.0",
        "hsi_xr_model": "r2h_base",
        "hsi_xr_level": "estimated",
        "datetime": "2026-01-02T03:04:05Z",
    }
    dataset = xr.Dataset({"reflectance": array}, attrs=attrs)
    return dataset if chunks is None else dataset.chunk(chunks)


def spectrum(values: np.ndarray, centres: np.ndarray = CENTRES, **coords: object) -> xr.DataArray:
    over = {name: ("wavelength", coord) for name, coord in coords.items()}
    return xr.DataArray(np.asarray(values, float), {"wavelength": centres, **over}, "wavelength")


PLACES = ((3, 70), (10, 30), (25, 51), (40, 66), (57, 80))
"""(row, column) of pixels with data."""


def point(dataset: xr.Dataset, row: int, column: int, gain: np.ndarray | float = 1.0) -> tuple:
    """The known spectrum of a pixel whose truth is the estimate times a gain."""
    x, y = GRID @ (column + 0.4, row + 0.7)
    estimate = dataset["reflectance"].isel(y=row, x=column).values.astype(float)
    return x, y, spectrum(estimate * gain)


def points(dataset: xr.Dataset, gain: np.ndarray | float = SMOOTH) -> list[tuple]:
    return [point(dataset, row, column, gain) for row, column in PLACES]
