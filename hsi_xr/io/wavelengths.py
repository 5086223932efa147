"""Which wavelengths the bands of a file have, from coordinates to GDAL tags and back.

GDAL keeps tags in domains, per band and per dataset; here they are plain dicts, domain -> tags,
with `""` for the default domain. Wavelengths are nm in Python, and in a file whatever the domain
is used to: um in IMAGERY (GDAL 3.10), nm in the others.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hsi_xr.band_grid import nearest

if TYPE_CHECKING:
    from hsi_xr.io.raster_dataset import RasterDataset

Domains = Mapping[str, Mapping[str, str]]
"""Domain -> tags of one band."""

_RGB = (650.0, 550.0, 450.0)
_REACH = 50.0
"""A band further than this from red, green or blue (nm) is not shown as that colour."""
_NM_PER_UNIT = {
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns"), 1000.0),
    **dict.fromkeys(("micrometer", "micrometers", "micrometre", "micrometres"), 1000.0),
}
_NAMED = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nanomet\w*|µm|μm|um|micromet\w*)\b", re.IGNORECASE)
_WYVERN = re.compile(r"^Band_(\d{3,5})$")  # Band_503; Band_1 is a number, not a wavelength

COORDINATE_ATTRS = {
    "wavelength": {
        "standard_name": "radiation_wavelength",
        "long_name": "band centre wavelength",
        "units": "nm",
    },
    "fwhm": {"long_name": "full width at half maximum", "units": "nm"},
}

Reading = tuple[float | None, float | None]
"""Centre and full width at half maximum of one band in nm, each where told."""


def band_description(wavelength: float) -> str:
    return f"{wavelength:g} nm"


def band_domains(wavelength: float, fwhm: float | None) -> dict[str, dict[str, str]]:
    """The tags of one band; an unknown width (None or NaN) leaves no tag."""
    imagery = {"CENTRAL_WAVELENGTH_UM": _number(wavelength / 1000)}
    default = {"wavelength": _number(wavelength), "wavelength_units": "Nanometers"}
    if fwhm is not None and math.isfinite(fwhm):
        imagery["FWHM_UM"] = _number(fwhm / 1000)
        default["fwhm"] = _number(fwhm)
    return {"": default, "IMAGERY": imagery}


def envi_tags(wavelengths: Sequence[float], fwhm: Sequence[float] | None) -> dict[str, str]:
    """The tags of a dataset in domain ENVI; widths only if all are known."""
    tags = {"wavelength": _braced(wavelengths), "wavelength_units": "Nanometers"}
    if fwhm is not None and all(map(math.isfinite, fwhm)):
        tags["fwhm"] = _braced(fwhm)
    if shown := default_bands(wavelengths):
        tags["default_bands"] = _braced(shown)
    return tags


def default_bands(wavelengths: Sequence[float]) -> tuple[int, int, int] | None:
    """Band numbers to show as red, green and blue, or None where the bands miss those colours."""
    if not wavelengths:
        return None
    bands = [nearest(wavelengths, colour) for colour in _RGB]
    if any(abs(wavelengths[band] - colour) > _REACH for band, colour in zip(bands, _RGB)):
        return None
    red, green, blue = (band + 1 for band in bands)
    return (red, green, blue) if len({red, green, blue}) == 3 else None


def read_wavelengths(
    raster: "RasterDataset", bands: Sequence[int]
) -> tuple[list[float] | None, list[float] | None]:
    """Centres and widths (NaN where unknown) in nm of bands, by number, of an open raster."""
    envi = envi_wavelengths(raster.tags(ns="ENVI"), raster.count)
    # GDAL rounds what a header says to whole nanometres, unless labels of ours lie beside it
    rounded = bool(raster.driver == "ENVI" and envi and not raster.tags(ns="HSI_XR"))
    domains = () if rounded else ("", "IMAGERY")
    told = raster.descriptions
    return spectrum(
        [{domain: raster.tags(band, ns=domain) for domain in domains} for band in bands],
        [told[band - 1] for band in bands],
        [envi[band - 1] for band in bands] if envi else [],
    )


def spectrum(
    bands: Sequence[Domains], descriptions: Sequence[str | None], envi: Sequence[Reading]
) -> tuple[list[float] | None, list[float] | None]:
    """Centres and widths (NaN where unknown) of all bands in nm, from the best place that tells.

    A wavelength without a unit is none, and a place that tells only of some bands is passed over.

    Args:
        bands: The tags of each band.
        descriptions: The description of each band.
        envi: What `envi_wavelengths` made of the dataset's tags, for the same bands; may be empty.
    """
    places = (
        [_from_imagery(band.get("IMAGERY", {})) for band in bands],
        [_from_default(band.get("", {})) for band in bands],
        list(envi),
        [(_from_description(text), None) for text in descriptions],
    )
    for readings in places:
        centres = [centre for centre, _ in readings if centre is not None]
        if centres and len(centres) == len(bands):
            widths = [math.nan if width is None else width for _, width in readings]
            return centres, None if all(map(math.isnan, widths)) else widths
    return None, None


def envi_wavelengths(tags: Mapping[str, str], count: int) -> list[Reading]:
    """What the ENVI tags of a dataset of `count` bands tell of each; empty if nothing."""
    lists = {name: tags.get(name, "").strip("{} \n").split(",") for name in ("wavelength", "fwhm")}
    unit = nm_per_unit(tags.get("wavelength_units", ""))
    if unit is None or len(lists["wavelength"]) != count:
        return []
    widths = lists["fwhm"] if len(lists["fwhm"]) == count else [""] * count
    return [
        (_length(centre, unit), _length(width, unit))
        for centre, width in zip(lists["wavelength"], widths)
    ]


def _from_imagery(tags: Mapping[str, str]) -> Reading:
    return (
        _length(tags.get("CENTRAL_WAVELENGTH_UM", ""), 1000.0),
        _length(tags.get("FWHM_UM", ""), 1000.0),
    )


def _from_default(tags: Mapping[str, str]) -> Reading:
    lower = {key.lower(): value for key, value in tags.items()}
    unit = nm_per_unit(lower.get("wavelength_units", ""))
    if unit is None:
        return None, None
    return _length(lower.get("wavelength", ""), unit), _length(lower.get("fwhm", ""), unit)


def _from_description(text: str | None) -> float | None:
    if found := _NAMED.search(text or ""):
        return _length(found[1], 1.0 if found[2].lower().startswith("n") else 1000.0)
    found = _WYVERN.match(text or "")
    return _length(found[1], 1.0) if found else None


def nm_per_unit(name: str) -> float | None:
    """Of a unit of wavelength, by any of its usual names; None if it is none."""
    return _NM_PER_UNIT.get(name.strip().lower())


def _length(text: str, nm_per_unit: float) -> float | None:
    """A positive length in nm; rounding undoes what um lose (0.41 * 1000 is 409.99...)."""
    try:
        value = round(float(text) * nm_per_unit, 9)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _number(value: float) -> str:
    """`0.4` for 0.4, and never fewer digits than a wavelength has."""
    return f"{value:.12g}"


def _braced(values: Sequence[float]) -> str:
    return "{" + ", ".join(map(_number, values)) + "}"
