"""The labels of an image as tags of an open GeoTIFF, and how they get into a finished one."""

import mmap
from pathlib import Path
from typing import Any

from hsi_xr.raster import labels, wavelengths
from hsi_xr.raster.image import Image

_HELD = "HSI_XR_HELD"
"""Where tags of a band's default domain wait: a copy that keeps all domains loses that one."""
_HEAD = 64 * 2**20
"""Bytes at the start of a file that hold its directories and tags; those of a band are short."""


def label(file: Any, image: Image) -> None:
    """Write all that is said about an image into a file that has no pixels yet.

    Later would break a COG, whose directories come first.
    """
    centres, widths = image.wavelengths, image.fwhm
    for number, centre in enumerate(centres or [], start=1):
        file.set_band_description(number, wavelengths.band_description(centre))
        width = widths[number - 1] if widths else None
        for domain, tags in wavelengths.band_domains(centre, width).items():
            file.update_tags(number, ns=domain or _HELD, **tags)
    scene = labels.scene_domains(
        image.attrs,
        variable=image.name,
        variable_attrs=image.array.attrs,
        written=labels.now(),
    )
    if centres:
        scene["ENVI"] = wavelengths.envi_tags(centres, widths)
        _colour(file, image.shown)
    for domain, tags in scene.items():
        file.update_tags(ns=domain or None, **tags)
    file.scales = [image.storage.scale] * image.count
    file.offsets = [0.0] * image.count
    if unit := image.array.attrs.get("units"):
        file.units = [str(unit)] * image.count


def release(path: Path) -> None:
    """Let the held tags of the bands be in the default domain, which is that without a name.

    GDAL (3.10) copies either the default domain of a band or those with names, and refuses to add
    tags to a finished COG. Tags are XML text, where spaces can take the place of an attribute.
    """
    if not path.stat().st_size:
        return  # of a full disk; whoever checks the pixels will tell
    held = f' domain="{_HELD}"'.encode()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        at = content.find(held, 0, _HEAD)
        while at >= 0:
            content[at : at + len(held)] = b" " * len(held)
            at = content.find(held, at, _HEAD)


def _colour(file: Any, shown: tuple[int, int, int] | None) -> None:
    from rasterio.enums import ColorInterp

    kinds = [ColorInterp.undefined] * file.count
    for band, kind in zip(shown or (), (ColorInterp.red, ColorInterp.green, ColorInterp.blue)):
        kinds[band - 1] = kind
    file.colorinterp = kinds
