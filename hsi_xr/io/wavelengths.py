"""Wavelengths of bands as GDAL tags, and back.

GDAL stores tags of a band or a dataset in domains; here they are dicts, domain -> tags, with `""`
for the default domain. Wavelengths are in nm in Python, and in a file in the usual unit of each
domain: um in IMAGERY (since GDAL 3.10), nm in the others.
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
"""Red, green and blue in nm."""
_TOLERANCE = 50.0
"""A band is not displayed as a colour if it is further from it than this, in nm."""
_NM_PER_UNIT = {
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns"), 1000.0),
    **dict.fromkeys(("micrometer", "micrometers", "micrometre", "micrometres"), 1000.0),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1e9),
}
_DESCRIBED = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nanomet\w*|µm|μm|um|micromet\w*)\b", re.IGNORECASE)
_WYVERN = re.compile(r"^Band_(\d{3,5})$")  # Band_503; the 1 of Band_1 is not a wavelength

COORDINATE_ATTRS = {
    "wavelength": {
        "standard_name": "radiation_wavelength",
        "long_name": "band centre wavelength",
        "units": "nm",
    },
    "fwhm": {"long_name": "full width at half maximum", "units": "nm"},
}

Wavelength = tuple[float | None, float | None]
"""Centre and full width at half maximum of a band in nm, None where unknown."""


def band_description(wavelength: float) -> str:
    return f"{wavelength:g} nm"


def band_domains(wavelength: float, fwhm: float | None) -> dict[str, dict[str, str]]:
    """Returns the tags of a band; an unknown width (None or NaN) has no tag."""
    imagery = {"CENTRAL_WAVELENGTH_UM": _number(wavelength / 1000)}
    default = {"wavelength": _number(wavelength), "wavelength_units": "Nanometers"}
    if fwhm is not None and math.isfinite(fwhm):
        imagery["FWHM_UM"] = _number(fwhm / 1000)
        default["fwhm"] = _number(fwhm)
    return {"": default, "IMAGERY": imagery}


def envi_tags(wavelengths: Sequence[float], fwhm: Sequence[float] | None) -> dict[str, str]:
    """Returns the tags of a dataset in domain ENVI, with widths if all are known."""
    tags = {"wavelength": _braced(wavelengths), "wavelength_units": "Nanometers"}
    if fwhm is not None and all(map(math.isfinite, fwhm)):
        tags["fwhm"] = _braced(fwhm)
    if bands := default_bands(wavelengths):
        tags["default_bands"] = _braced(bands)
    return tags


def default_bands(wavelengths: Sequence[float]) -> tuple[int, int, int] | None:
    """Returns the bands to display as red, green and blue, or None if a colour has no band."""
    if not wavelengths:
        return None
    bands = [nearest(wavelengths, colour) for colour in _RGB]
    if any(abs(wavelengths[band] - colour) > _TOLERANCE for band, colour in zip(bands, _RGB)):
        return None
    red, green, blue = (band + 1 for band in bands)
    return (red, green, blue) if len({red, green, blue}) == 3 else None


def read_wavelengths(
    raster: "RasterDataset", bands: Sequence[int]
) -> tuple[list[float] | None, list[float] | None]:
    """Returns centres and widths of bands of an open raster in nm; see `choose`."""
    envi = envi_wavelengths(raster.tags(ns="ENVI"), raster.count)
    # GDAL rounds the wavelengths of an ENVI header to nm, unless our tags are in a .aux.xml
    is_rounded = bool(raster.driver == "ENVI" and envi and not raster.tags(ns="HSI_XR"))
    domains = () if is_rounded else ("", "IMAGERY")
    descriptions = raster.descriptions
    return choose(
        [{domain: raster.tags(band, ns=domain) for domain in domains} for band in bands],
        [descriptions[band - 1] for band in bands],
        [envi[band - 1] for band in bands] if envi else [],
    )


def choose(
    bands: Sequence[Domains], descriptions: Sequence[str | None], envi: Sequence[Wavelength]
) -> tuple[list[float] | None, list[float] | None]:
    """Returns centres and widths of all bands in nm, from the most reliable statement.

    Wavelengths without a unit are ignored, and so are statements about only some of the bands.

    Args:
        bands: Tags of each band.
        descriptions: Description of each band.
        envi: The result of `envi_wavelengths` for the same bands; may be empty.

    Returns:
        Centres, or None; and widths, NaN where unknown, or None if all are.
    """
    statements = (
        [_from_imagery(band.get("IMAGERY", {})) for band in bands],
        [_from_default(band.get("", {})) for band in bands],
        list(envi),
        [(_from_description(text), None) for text in descriptions],
    )
    for statement in statements:
        centres = [centre for centre, _ in statement if centre is not None]
        if centres and len(centres) == len(bands):
            widths = [math.nan if width is None else width for _, width in statement]
            return centres, None if all(map(math.isnan, widths)) else widths
    return None, None


def envi_wavelengths(tags: Mapping[str, str], count: int) -> list[Wavelength]:
    """Returns the wavelengths that the ENVI tags of a dataset state for all bands, or none."""
    lists = {name: tags.get(name, "").strip("{} \n").split(",") for name in ("wavelength", "fwhm")}
    unit = nm_per_unit(tags.get("wavelength_units", ""))
    if unit is None or len(lists["wavelength"]) != count:
        return []
    widths = lists["fwhm"] if len(lists["fwhm"]) == count else [""] * count
    return [
        (_length(centre, unit), _length(width, unit))
        for centre, width in zip(lists["wavelength"], widths)
    ]


def _from_imagery(tags: Mapping[str, str]) -> Wavelength:
    return (
        _length(tags.get("CENTRAL_WAVELENGTH_UM", ""), 1000.0),
        _length(tags.get("FWHM_UM", ""), 1000.0),
    )


def _from_default(tags: Mapping[str, str]) -> Wavelength:
    lower = {key.lower(): value for key, value in tags.items()}
    unit = nm_per_unit(lower.get("wavelength_units", ""))
    if unit is None:
        return None, None
    return _length(lower.get("wavelength", ""), unit), _length(lower.get("fwhm", ""), unit)


def _from_description(text: str | None) -> float | None:
    if match := _DESCRIBED.search(text or ""):
        return _length(match[1], 1.0 if match[2].lower().startswith("n") else 1000.0)
    match = _WYVERN.match(text or "")
    return _length(match[1], 1.0) if match else None


def nm_per_unit(name: str) -> float | None:
    """Returns the length of a unit in nm, by any of its usual names; None for an unknown unit."""
    return _NM_PER_UNIT.get(name.strip().lower())


def unit_of(values: Sequence[object] | None) -> str:
    """Returns the unit of wavelengths that do not state one, by their magnitude; "" if unclear."""
    numbers = [value for value in values or () if isinstance(value, int | float)]
    if numbers and all(200 <= value <= 20_000 for value in numbers):
        return "nm"
    return "um" if numbers and all(0.2 <= value <= 20 for value in numbers) else ""


def _length(text: str, nm_per_unit: float) -> float | None:
    """Parses a positive length as nm; rounding removes the error of the factor."""
    try:
        value = round(float(text) * nm_per_unit, 9)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _number(value: float) -> str:
    """Formats a number with up to 12 digits and no trailing zeros."""
    return f"{value:.12g}"


def _braced(values: Sequence[float]) -> str:
    return "{" + ", ".join(map(_number, values)) + "}"
