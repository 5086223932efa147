"""Thumbnails and QGIS styles in natural colour, both from one small overview of a product."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hsi_xr.io import tags, wavelengths
from hsi_xr.io.cube_file import CubeFile
from hsi_xr.io.raster_dataset import open_raster_dataset, rasterio_open
from hsi_xr.io.remote import gdal_environment
from hsi_xr.io.stores import store_driver
from hsi_xr.io.upload import stage_file
from hsi_xr.level_interval import level_text

if TYPE_CHECKING:
    from rasterio import DatasetReader

    MaskedValues: TypeAlias = np.ma.MaskedArray[tuple[int, ...], np.dtype[np.number]]

TITLE = "Estimated spectra in natural colour"
_DESCRIPTION = (
    "Bands {red:g}, {green:g} and {blue:g} nm of the estimate, stretched to their {percentile}th "
    "percentile; computed from the model's estimate, not a photograph"
)
_LEVEL = "The stretch hides the level of the scene, which is {level}."
_RUN = "hsi_xr_run"
_SIDE = 256
"""Largest side of an overview in pixels."""
_PERCENTILE = 98
"""Values above this percentile are displayed as white, so bright roofs do not darken a scene."""

_CHANNEL = """\
      <{name}ContrastEnhancement>
        <minValue>0</minValue>
        <maxValue>{white:.6g}</maxValue>
        <algorithm>StretchToMinimumMaximum</algorithm>
      </{name}ContrastEnhancement>
"""
_STYLE = """\
<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22" styleCategories="Symbology">
  <pipe>
    <rasterrenderer type="multibandcolor" opacity="1" alphaBand="-1" \
redBand="{red}" greenBand="{green}" blueBand="{blue}">
      <minMaxOrigin>
        <limits>None</limits>
        <extent>WholeRaster</extent>
        <statAccuracy>Estimated</statAccuracy>
      </minMaxOrigin>
{channels}    </rasterrenderer>
    <brightnesscontrast brightness="0" contrast="0" gamma="2.2"/>
  </pipe>
</qgis>
"""
"""All channels have the same stretch: one for each channel, QGIS's default, would remove the
colours. Displays expect about the square root of values that are proportional to light, and QGIS
does not offer the exact sRGB curve."""


@dataclass(frozen=True, eq=False)
class Overview:
    """Three bands of a raster, averaged to a few pixels."""

    bands: tuple[int, int, int]
    """1-based numbers of the red, green and blue band."""
    values: "MaskedValues"
    """(3, rows, columns) stored values; nodata is masked."""

    @classmethod
    def read(cls, path: Path, bands: tuple[int, int, int]) -> Self:
        """Read an overview of a raster or a store."""
        read = _read_raster if store_driver(str(path)) is None else _read_store
        return cls(bands, read(path, bands))

    @cached_property
    def white(self) -> float | None:
        """The value displayed as white in all three bands, so that colours keep their hue.

        It is positive; None if no pixel is valid in all bands.
        """
        if not self._valid.any():
            return None
        return max(float(np.percentile(self.values.data[:, self._valid], _PERCENTILE)), 1e-6)

    def rgba(self) -> NDArray[np.uint8] | None:
        """Returns (4, rows, columns): sRGB, and opacity, which is 0 for nodata.

        None if no pixel is valid in all bands.
        """
        if self.white is None:
            return None
        linear = (self.values.filled(0).astype("float32") / self.white).clip(0, 1)
        srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        rgba = np.rint(255 * np.concatenate([srgb, self._valid[None]])).astype("uint8")
        rgba[:3, ~self._valid] = 0
        return rgba

    def qgis_style(self, scale: float) -> str:
        """Returns a QGIS style (.qml): QGIS ignores the colour interpretation of GeoTIFF bands.

        Args:
            scale: Factor from stored values to reflectance.
        """
        white = self.white or 1 / scale  # without valid pixels nothing is displayed anyway
        red, green, blue = self.bands
        channels = [
            _CHANNEL.format(name=name, white=white * scale) for name in ("red", "green", "blue")
        ]
        return _STYLE.format(red=red, green=green, blue=blue, channels="".join(channels))

    @cached_property
    def _valid(self) -> NDArray[np.bool_]:
        return ~np.asarray(np.ma.getmaskarray(self.values).any(axis=0))


def write_thumbnail(path: Path, overview: Overview | None = None) -> Path | None:
    """Write `<stem>.png` next to a product, complete or not at all; nodata is transparent.

    Args:
        path: The product.
        overview: Its overview, if it has been read already.

    Returns:
        The path of the thumbnail; None if the product lacks red, green or blue bands, or valid
        pixels.

    Raises:
        InvalidData: The file is not a product of hsi_xr.
        DestinationUnwritable: The thumbnail could not be written.
    """
    product = CubeFile.read(path)
    bands = _natural_bands(product)
    if bands is None:
        return None
    if overview is None or overview.bands != bands:
        overview = Overview.read(path, bands)
    rgba = overview.rgba()
    if rgba is None:
        return None
    texts = {"Title": TITLE, "Description": caption(product), _RUN: _run_id(product)}
    return _write_png(rgba, path.with_suffix(".png"), texts)


def caption(product: CubeFile) -> str:
    """Returns what the thumbnail of a product shows, and the level of the scene; "" without one."""
    bands = _natural_bands(product)
    if bands is None:
        return ""
    red, green, blue = (1000 * (product.centres[band - 1] or 0) for band in bands)
    shown = _DESCRIPTION.format(red=red, green=green, blue=blue, percentile=_PERCENTILE)
    level = level_text(product.config)
    return f"{shown}. {_LEVEL.format(level=level)}" if level else f"{shown}."


def _natural_bands(product: CubeFile) -> tuple[int, int, int] | None:
    """Returns the 1-based numbers of the red, green and blue band; None if there are none."""
    centres = [1000 * centre for centre in product.centres if centre]
    return wavelengths.default_bands(centres) if len(centres) == len(product.centres) else None


def find_thumbnail(product: CubeFile) -> Path | None:
    """Returns the thumbnail next to a product; None if it is missing or from another run."""
    from rasterio.errors import RasterioIOError

    path = product.path.with_suffix(".png")
    try:
        with rasterio_open(str(path)) as src:
            return path if src.tags().get(_RUN) == _run_id(product) else None
    except RasterioIOError:
        return None


def _run_id(product: CubeFile) -> str:
    """Returns a digest of the configuration that all files of one run share."""
    return hashlib.sha256(tags.compact_json(dict(product.config)).encode()).hexdigest()


def _read_raster(path: Path, bands: tuple[int, int, int]) -> "MaskedValues":
    from rasterio.enums import Resampling

    with gdal_environment(str(path)), rasterio_open(str(path)) as src:
        values: MaskedValues = src.read(
            indexes=list(bands),
            out_shape=(3, *_overview_shape(src)),
            masked=True,
            resampling=Resampling.average,
        )
    return values


def _overview_shape(src: "DatasetReader") -> tuple[int, int]:
    share = min(1.0, _SIDE / max(src.shape))
    rows, columns = (max(1, round(length * share)) for length in src.shape)
    return rows, columns


def _read_store(path: Path, bands: tuple[int, int, int]) -> "MaskedValues":
    """Averages squares of pixels, reading one row of squares at a time."""
    from rasterio.windows import Window

    with open_raster_dataset(str(path)) as src:
        rows, columns = src.shape
        side = -(-max(rows, columns) // _SIDE)
        lines = []
        for top in range(0, rows, side):
            window = Window(0, top, columns, min(side, rows - top))
            values = np.ma.masked_invalid(src.read(list(bands), window=window).astype("float32"))
            if src.nodata is not None:
                values = np.ma.masked_equal(values, src.nodata)
            edges = range(0, columns, side)
            lines.append(
                np.ma.stack([values[..., e : e + side].mean(axis=(1, 2)) for e in edges], axis=1)
            )
    return np.ma.stack(lines, axis=1)


def _write_png(rgba: NDArray[np.uint8], path: Path, texts: Mapping[str, str]) -> Path:
    import rasterio.shutil
    from rasterio.io import MemoryFile

    profile = {"driver": "GTiff", "dtype": "uint8", "photometric": "rgb", "alpha": "yes"}
    count, rows, columns = rgba.shape
    with stage_file(path) as part, MemoryFile() as memory:
        with rasterio_open(
            memory.name, "w", count=count, height=rows, width=columns, **profile
        ) as file:
            file.write(rgba)
            file.update_tags(**texts)
        rasterio.shutil.copy(memory.name, str(part), driver="PNG", WRITE_METADATA_AS_TEXT="YES")
        part.with_name(f"{part.name}.aux.xml").unlink(missing_ok=True)
    return path
