"""The labels of an image as tags of an open raster."""

from typing import Any

from hsi_xr.io import tags as labels
from hsi_xr.io import wavelengths
from hsi_xr.io.variables import StoredVariable
from hsi_xr.times import now


def label(file: Any, image: StoredVariable, default: str = "") -> None:
    """Write all that is said about an image into a file that has no pixels yet.

    Later would break a COG, whose directories come first.

    Args:
        file: Open to be written.
        image: What it is to hold.
        default: The domain that takes the tags of a band's default domain.
    """
    centres, widths = image.wavelengths, image.fwhm
    for number, centre in enumerate(centres or [], start=1):
        file.set_band_description(number, wavelengths.band_description(centre))
        width = widths[number - 1] if widths else None
        for domain, tags in wavelengths.band_domains(centre, width).items():
            file.update_tags(number, ns=domain or default or None, **tags)
    scene = labels.scene_domains(
        image.attrs,
        variable=image.name,
        variable_attrs=image.array.attrs,
        written=now(),
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


def _colour(file: Any, shown: tuple[int, int, int] | None) -> None:
    from rasterio.enums import ColorInterp

    kinds = [ColorInterp.undefined] * file.count
    for band, kind in zip(shown or (), (ColorInterp.red, ColorInterp.green, ColorInterp.blue)):
        kinds[band - 1] = kind
    file.colorinterp = kinds
