"""Scenes for tests: not square, brighter to the east, in chunks of unequal size."""

import os
from pathlib import Path

import numpy as np
import xarray as xr
from affine import Affine

from hsi_xr.io.georef import coordinates

UTM = "EPSG:32633"
GRID = Affine(0.1, 0, 500_000.1, 0, -0.1, 4_650_000.3)


DATA = Path(os.environ.get("HSI_XR_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
"""Data sets that are not part of the repository."""


def real() -> list[Path]:
    """The RGB GeoTIFFs of the shared data, if it is available."""
    return sorted((DATA / "scenes_rgb").glob("*.tif*"))


def rgb_image(rows: int, columns: int, *, seed: int = 0) -> np.ndarray:
    """(3, rows, columns) uint8: smooth patches with texture, brighter to the east."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0.1, 0.8, (3, rows // 24 + 2, columns // 24 + 2))
    patches = coarse.repeat(24, axis=1).repeat(24, axis=2)[:, 5 : rows + 5, 7 : columns + 7]
    texture = rng.normal(1, 0.08, (1, rows, columns))
    light = np.linspace(0.6, 1.1, columns)
    return (255 * patches * texture * light).clip(1, 255).astype("uint8")


def scene(
    rows: int, columns: int, *, chunks: tuple[int, int] | None = (70, 90), seed: int = 0
) -> xr.DataArray:
    """The image as (band, y, x) float32 with a georeference, as rioxarray reads an 8-bit file."""
    from rasterio.crs import CRS

    array = xr.DataArray(
        rgb_image(rows, columns, seed=seed).astype("float32"),
        dims=("band", "y", "x"),
        coords={"band": [1, 2, 3], **coordinates(GRID, CRS.from_string(UTM), (rows, columns))},
    )
    if chunks is not None:
        array = array.chunk(y=chunks[0], x=chunks[1])
    array.encoding = {"dtype": "uint8", "rasterio_dtype": "uint8"}
    return array


def save(path, pixels: np.ndarray, *, transform: Affine = GRID, crs: str | None = UTM, **profile):
    """Writes (bands, rows, columns), by default as a GeoTIFF, and returns the path."""
    import rasterio

    count, height, width = pixels.shape
    settings = {"driver": "GTiff", "count": count, "height": height, "width": width}
    settings |= {"dtype": pixels.dtype, "transform": transform, "crs": crs, **profile}
    with rasterio.open(path, "w", **settings) as file:
        file.write(pixels)
    return path


CAMERA = "hasselblad-l2d-20c"


def ground(rows: int, columns: int, *, seed: int = 0) -> np.ndarray:
    """(31, rows, columns) float32: smooth spectra in patches, brighter to the east, one white."""
    rng = np.random.default_rng(seed)
    nm = np.linspace(-1, 1, 31)
    waves = np.stack([np.cos(np.pi * k * (nm + 1) / 2) for k in range(5)])
    coarse = rng.normal(size=(rows // 12 + 2, columns // 12 + 2, 5)) * [1.2, 0.8, 0.5, 0.3, 0.2]
    patches = (1 / (1 + np.exp(1.5 - coarse @ waves))).repeat(12, axis=0).repeat(12, axis=1)
    cube = np.moveaxis(patches[5 : rows + 5, 7 : columns + 7], 2, 0)
    cube = cube * rng.normal(1, 0.08, (1, rows, columns)).clip(0.5) * np.linspace(0.1, 1, columns)
    cube[:, : rows // 5, -columns // 4 :] = 1
    return cube.astype("float32")


def photographed(cube: np.ndarray, *, chunks: tuple[int, int] | None = (70, 90)) -> xr.DataArray:
    """A cube as the camera records it, in reflectance, (band, y, x) float32 with a georeference."""
    from rasterio.crs import CRS

    from hsi_xr.band_grid import Bands
    from hsi_xr.camera.spectral_response import SpectralResponse

    curves = np.array(SpectralResponse.of(CAMERA, Bands.regular(400, 700, 10)).curves)
    array = xr.DataArray(
        np.einsum("cb,byx->cyx", curves, cube).astype("float32"),
        dims=("band", "y", "x"),
        coords={"band": [1, 2, 3], **coordinates(GRID, CRS.from_string(UTM), cube.shape[1:])},
    )
    return array if chunks is None else array.chunk(y=chunks[0], x=chunks[1])
