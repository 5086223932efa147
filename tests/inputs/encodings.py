"""One image in several encodings and orders of its bands, as files store it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp

from tests.scenes import GRID, UTM

ROWS, COLUMNS = 37, 53
COLOURS = ("red", "green", "blue")
BANDS = (*COLOURS, "nir")
WAVELENGTHS = {"red": 655.0, "green": 560.0, "blue": 482.0, "nir": 842.0}
HIDDEN = 77
"""Stored value of the pixels that an alpha band or a mask makes invalid."""


def _physical() -> np.ndarray:
    """(4, rows, columns): red, green, blue and near infrared, each of another level and pattern."""
    rng = np.random.default_rng(0)
    levels = np.array([0.42, 0.3, 0.17, 0.6])[:, None, None]
    light = np.linspace(0.5, 1.1, COLUMNS) * np.linspace(1, 0.8, ROWS)[:, None]
    return levels * light * rng.uniform(0.8, 1.2, (4, ROWS, COLUMNS))


PHYSICAL = _physical()
INSIDE = np.ones((ROWS, COLUMNS), bool)
INSIDE[:, :4] = INSIDE[34:] = False
"""False at two edges of the image."""
SHADOW = (9, 31)
"""A pixel whose blue alone has the nodata value."""


@dataclass(frozen=True, eq=False)
class Encoding:
    """How values and nodata are stored."""

    name: str
    dtype: str
    kind: str
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    alpha: bool = False
    mask: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def is_scaled(self) -> bool:
        return (self.scale, self.offset) != (1, 0)

    @property
    def has_edge(self) -> bool:
        return self.nodata is not None or self.alpha or self.mask or self.dtype == "float32"

    @property
    def factor(self) -> float:
        """Factor from decoded values to [0, 1]."""
        return 1 / 255 if self.kind == "srgb" else 1.0

    def stored(self) -> np.ndarray:
        """(4, rows, columns): red, green, blue and near infrared."""
        values = (PHYSICAL / self.factor - self.offset) / self.scale
        if self.dtype != "float32":
            values = values.round()
        empty = np.nan if self.dtype == "float32" else HIDDEN
        empty = empty if self.nodata is None else self.nodata
        if self.has_edge:
            values[:, ~INSIDE] = empty
        if self.nodata is not None or self.dtype == "float32":
            values[(2, *SHADOW)] = empty
        return values.astype(self.dtype)

    def decoded(self, *, each_band: bool = False) -> np.ndarray:
        """(4, rows, columns) float32: as decoded by hand, NaN where invalid.

        Args:
            each_band: A nodata value in a single band always invalidates the pixel, as for readers
                that do not tell which value it was.
        """
        stored = self.stored()
        values = (stored * np.float64(self.scale) + self.offset).astype("float32")
        if self.has_edge:
            values[:, ~INSIDE] = np.nan
        can_be_colour = self.nodata == 0 and not each_band
        if self.nodata is not None and not can_be_colour:
            values[(slice(None), *SHADOW)] = np.nan
        return values


ENCODINGS = (
    Encoding("uint8", "uint8", "srgb"),
    Encoding("uint8 nodata 0", "uint8", "srgb", nodata=0),
    Encoding("uint8 alpha", "uint8", "srgb", alpha=True),
    Encoding("uint8 mask", "uint8", "srgb", mask=True),
    Encoding("uint16 scaled", "uint16", "reflectance", scale=1e-4, offset=-0.1, nodata=0),
    Encoding("int16 scaled", "int16", "reflectance", scale=1e-4, nodata=-9999),
    Encoding("float32", "float32", "reflectance"),
)


@dataclass(frozen=True, eq=False)
class Order:
    """The bands of an image in order, and what says so.

    Attributes:
        name: Name of the case.
        bands: Names of the bands.
        by: `position` (nothing is said), `interpretation` (GDAL's colour interpretation), `names`,
            or `both`, which contradict each other: the interpretation is red, green, blue.
    """

    name: str
    bands: tuple[str, ...]
    by: str

    def __str__(self) -> str:
        return self.name

    @property
    def indices(self) -> list[int]:
        """Where the bands are in `BANDS`."""
        return [BANDS.index(band) for band in self.bands]


ORDERS = (
    Order("RGB", COLOURS, "position"),
    Order("BGR by interpretation", COLOURS[::-1], "interpretation"),
    Order("BGR by names", COLOURS[::-1], "names"),
    Order("BGRN by names", (*COLOURS[::-1], "nir"), "names"),
    Order("BGR by names, RGB by interpretation", COLOURS[::-1], "both"),
)


def write_geotiff(path: Path, encoding: Encoding, order: Order) -> Path:
    """Write a GeoTIFF with everything that encoding and order state."""
    pixels = encoding.stored()[order.indices]
    if encoding.alpha:
        opaque = np.where(INSIDE, 255, 0).astype("uint8")
        pixels = np.concatenate([pixels, opaque[None]])
    settings = {"driver": "GTiff", "count": len(pixels), "height": ROWS, "width": COLUMNS}
    settings |= {"dtype": encoding.dtype, "crs": UTM, "transform": GRID, "nodata": encoding.nodata}
    kinds = [getattr(ColorInterp, band) for band in order.bands if band in COLOURS]
    if order.by == "both":
        kinds = kinds[::-1]
    if order.by == "names":
        kinds = [ColorInterp.gray] + [ColorInterp.undefined] * (len(order.bands) - 1)
        settings["photometric"] = "minisblack"
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **settings) as file:
        if order.by != "position" or encoding.alpha:
            file.colorinterp = kinds + [ColorInterp.alpha] * encoding.alpha
        file.write(pixels)
        if order.by in ("names", "both"):
            for number, band in enumerate(order.bands, start=1):
                file.set_band_description(number, band)
        file.scales = [encoding.scale] * len(pixels)
        file.offsets = [encoding.offset] * len(pixels)
        if encoding.mask:
            file.write_mask(INSIDE)
    return path
