"""A small picture of a product in natural colour, made of nothing but the product's own bands."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.io import tags, wavelengths
from hsi_xr.io.cube_file import Product
from hsi_xr.io.natural_colour import SHARE, SIDE, small, white
from hsi_xr.io.raster_dataset import open_raster_dataset, rasterio_open
from hsi_xr.io.upload import appearing

TITLE = "Estimated spectra in natural colour"
_ABOUT = (
    "Bands {red:g}, {green:g} and {blue:g} nm of the estimate, bright up to their {share}th "
    "percentile; made of the model's estimate, not a photograph"
)
_RUN = "hsi_xr_run"


def thumbnail(path: Path) -> Path | None:
    """Write `<stem>.png` beside a product, complete or not at all; transparent without data.

    Returns:
        Its path, or None where no three bands are red, green and blue, or no pixel is valid.

    Raises:
        InvalidData: The file is no product of hsi_xr.
        DestinationUnwritable: The disk is full, or the folder read-only.
    """
    product = Product.read(path)
    centres = [1000 * centre for centre in product.centres if centre]
    shown = wavelengths.default_bands(centres) if len(centres) == len(product.centres) else None
    picture = None if shown is None else _natural_colour(product, shown)
    if shown is None or picture is None:
        return None
    colours = dict(zip(("red", "green", "blue"), (centres[band - 1] for band in shown)))
    told = {
        "Title": TITLE,
        "Description": _ABOUT.format(**colours, share=SHARE),
        _RUN: _run(product),
    }
    return _save(picture, path.with_suffix(".png"), told)


def thumbnail_of(product: Product) -> Path | None:
    """The picture beside a product, unless it is left from another run or is none of ours."""
    from rasterio.errors import RasterioIOError

    path = product.path.with_suffix(".png")
    try:
        with rasterio_open(str(path)) as src:
            return path if src.tags().get(_RUN) == _run(product) else None
    except RasterioIOError:
        return None


def _run(product: Product) -> str:
    """What all files of one run have in common, in short."""
    return hashlib.sha256(tags.compact_json(dict(product.config)).encode()).hexdigest()


def _natural_colour(product: Product, bands: tuple[int, int, int]) -> NDArray[Any] | None:
    """(4, rows, columns) uint8: red, green, blue as sRGB, and where there is data."""
    stored = _of_store(product, bands) if product.is_shared else small(product.path, bands)
    brightest = white(stored)
    if brightest is None:
        return None
    valid = ~np.asarray(np.ma.getmaskarray(stored).any(axis=0))
    linear = (stored.filled(0).astype("float32") / brightest).clip(0, 1)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    picture = np.rint(255 * np.concatenate([coded, valid[None]])).astype("uint8")
    picture[:3, ~valid] = 0
    return picture


def _of_store(product: Product, bands: tuple[int, int, int]) -> "np.ma.MaskedArray[Any, Any]":
    """Means of squares of pixels, a row of them at a time."""
    from rasterio.windows import Window

    with open_raster_dataset(str(product.path)) as src:
        rows, columns = src.shape
        side = -(-max(rows, columns) // SIDE)
        lines = []
        for top in range(0, rows, side):
            window = Window(0, top, columns, min(side, rows - top))
            numbers = np.ma.masked_invalid(src.read(list(bands), window=window).astype("float32"))
            if product.nodata is not None:
                numbers = np.ma.masked_equal(numbers, product.nodata)
            edges = range(0, columns, side)
            lines.append(
                np.ma.stack([numbers[..., e : e + side].mean(axis=(1, 2)) for e in edges], axis=1)
            )
    return np.ma.stack(lines, axis=1)


def _save(picture: NDArray[Any], path: Path, told: dict[str, str]) -> Path:
    import rasterio.shutil
    from rasterio.io import MemoryFile

    layout = {"driver": "GTiff", "dtype": "uint8", "photometric": "rgb", "alpha": "yes"}
    count, rows, columns = picture.shape
    with appearing(path) as part, MemoryFile() as memory:
        with rasterio_open(
            memory.name, "w", count=count, height=rows, width=columns, **layout
        ) as file:
            file.write(picture)
            file.update_tags(**told)
        rasterio.shutil.copy(memory.name, str(part), driver="PNG", WRITE_METADATA_AS_TEXT="YES")
        part.with_name(f"{part.name}.aux.xml").unlink(missing_ok=True)
    return path
