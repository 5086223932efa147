"""Attributes of an array as GDAL tags, and back.

Attributes that begin with `hsi_xr_` record the provenance of a product. Each becomes a tag of
domain HSI_XR, as text that people and other tools can read, and all of them together are the JSON
object CONFIG, which preserves their types. The other attributes of the array (units,
standard_name, ...) are stored in domain XARRAY, and the acquisition time in domain IMAGERY.
"""

import json
from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from hsi_xr._version import __version__
from hsi_xr.errors import UsageError
from hsi_xr.io import wavelengths
from hsi_xr.times import instant, now, period, utc_text

if TYPE_CHECKING:
    from rasterio.io import DatasetWriter

    from hsi_xr.io.raster_dataset import RasterDataset
    from hsi_xr.io.variables import StoredVariable

Domains = Mapping[str, Mapping[str, str]]
"""Domain -> tags; `""` is the default domain."""

DOMAINS = ("", "HSI_XR", "IMAGERY", "XARRAY")
"""The domains of a dataset that `attributes` needs."""

PROVENANCE = "HSI_XR"
"""The domain of the tags that record the provenance."""

_PREFIX = "hsi_xr_"
_TAG_OF = {"scale": "SCALE_IN"}  # a tag SCALE would be read as the scale of the stored values
_STORED_ELSEWHERE = (_PREFIX, "grid_mapping", "datetime")


def write_tags(
    file: "DatasetWriter", variable: "StoredVariable", *, default_domain: str = ""
) -> None:
    """Writes everything that is known about a variable into a file that has no pixels yet.

    Tags that are written after the pixels would break the layout of a COG, whose directories come
    first.

    Args:
        file: An open file.
        variable: The variable that the file will contain.
        default_domain: The domain for the tags that belong to a band's default domain.
    """
    centres, widths = variable.wavelengths, variable.fwhm
    for band, centre in enumerate(centres or [], start=1):
        file.set_band_description(band, wavelengths.band_description(centre))
        width = widths[band - 1] if widths else None
        for domain, tags in wavelengths.band_domains(centre, width).items():
            file.update_tags(band, ns=domain or default_domain or None, **tags)
    domains = product_domains(
        variable.attrs, variable=variable.name, variable_attrs=variable.array.attrs, written=now()
    )
    if centres:
        domains["ENVI"] = wavelengths.envi_tags(centres, widths)
        _set_colours(file, variable.rgb_bands)
    for domain, tags in domains.items():
        file.update_tags(ns=domain or None, **tags)
    file.scales = [variable.storage.scale] * variable.count
    file.offsets = [0.0] * variable.count
    if unit := variable.array.attrs.get("units"):
        file.units = [str(unit)] * variable.count


def _set_colours(file: "DatasetWriter", bands: tuple[int, int, int] | None) -> None:
    from rasterio.enums import ColorInterp

    kinds = [ColorInterp.undefined] * file.count
    for band, kind in zip(bands or (), (ColorInterp.red, ColorInterp.green, ColorInterp.blue)):
        kinds[band - 1] = kind
    file.colorinterp = kinds


def product_domains(
    attrs: Mapping[Hashable, Any],
    *,
    variable: str,
    variable_attrs: Mapping[Hashable, Any],
    written: datetime,
) -> dict[str, dict[str, str]]:
    """Returns the tags that record the provenance of a raster file, by domain.

    Args:
        attrs: Attributes of the whole product. Those that begin with `hsi_xr_` are stored, and
            `datetime`, the acquisition time or period in ISO 8601; a GeoTIFF cannot store others.
        variable: Name of the array.
        variable_attrs: Attributes of the array.
        written: Time of writing, with a time zone.

    Raises:
        MissingFact: `datetime` is a day without a time of day.
        UsageError: `datetime` cannot be parsed.
    """
    own = {str(key): value for key, value in variable_attrs.items()}
    kept = {key: value for key, value in own.items() if not key.startswith(_STORED_ELSEWHERE)}
    domains = {
        "": {
            "AREA_OR_POINT": "Area",
            "TIFFTAG_SOFTWARE": f"hsi-xr {__version__}",
            "TIFFTAG_DATETIME": f"{written.astimezone(UTC):%Y:%m:%d %H:%M:%S}",
        },
        PROVENANCE: provenance_tags(attrs),
        "XARRAY": {"NAME": variable, "ATTRS": compact_json(kept)},
    }
    if (time := attrs.get("datetime")) is not None:
        domain, tags = _acquisition_tags(time)
        domains[domain] = {**domains.get(domain, {}), **tags}
    return domains


def provenance_tags(attrs: Mapping[Hashable, Any]) -> dict[str, str]:
    """Returns the tags of domain HSI_XR for the attributes of a product."""
    provenance = provenance_of(attrs)
    texts = {_TAG_OF.get(key, key.upper()): str(value) for key, value in provenance.items()}
    return texts | {"CONFIG": compact_json(provenance)}


def store_domains(
    attrs: Mapping[Hashable, Any], variable: str, variable_attrs: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Returns the tags of `product_domains` for a variable of a Zarr or NetCDF store.

    Args:
        attrs: Global attributes of the store.
        variable: Name of the array.
        variable_attrs: Attributes of the array.
    """
    provenance = {key: _plain(value) for key, value in provenance_of(attrs).items()}
    config = provenance.pop("config", None)
    domains = {
        "HSI_XR": {key.upper(): str(value) for key, value in provenance.items()},
        "XARRAY": {"NAME": variable, "ATTRS": compact_json(dict(variable_attrs))},
    }
    if config is not None:
        domains["HSI_XR"]["CONFIG"] = str(config)
    if (time := attrs.get("datetime")) is not None:
        domains["IMAGERY"] = {"ACQUISITIONDATETIME": str(time)}
    if (written := attrs.get("date_created")) is not None and config is not None:
        domains[""] = {"TIFFTAG_DATETIME": f"{instant(str(written)):%Y:%m:%d %H:%M:%S}"}
    return domains


def read_domains(raster: "RasterDataset") -> dict[str, dict[str, str]]:
    """Returns the tags of an open raster that `attributes` needs, by domain.

    An ENVI file whose `.aux.xml` is missing still has them in its header.
    """
    domains = {domain: dict(raster.tags(ns=domain)) for domain in DOMAINS}
    header = raster.tags(ns="ENVI")
    if "CONFIG" not in domains["HSI_XR"] and "hsi_xr_config" in header:
        config = {"CONFIG": header["hsi_xr_config"]}
        provenance = _json_object(config, "CONFIG").items()
        domains["HSI_XR"] = config | {key.upper(): str(value) for key, value in provenance}
        domains["XARRAY"] = {"NAME": header.get("hsi_xr_variable", "reflectance")}
        domains["IMAGERY"] = {"ACQUISITIONDATETIME": header.get("acquisition_time", "")}
    return domains


def attributes(domains: Domains) -> dict[str, Any]:
    """Returns the attributes that `product_domains` stored, with their types."""
    provenance = provenance_attributes(domains.get("HSI_XR", {}))
    attrs = _json_object(domains.get("XARRAY", {}), "ATTRS") | provenance
    if time := acquisition_time(domains):
        attrs["datetime"] = time
    return attrs


def provenance_attributes(tags: Mapping[str, str]) -> dict[str, Any]:
    """Returns the `hsi_xr_` attributes that the HSI_XR tags of a dataset contain."""
    return {_PREFIX + key: value for key, value in provenance_in(tags).items()}


def provenance_in(tags: Mapping[str, str]) -> dict[str, Any]:
    """Returns the provenance in the HSI_XR tags of a dataset, without the prefix `hsi_xr_`."""
    return _json_object(tags, "CONFIG")


def is_product(tags: Mapping[str, str]) -> bool:
    """True if the HSI_XR tags of a dataset state that its pixels are a reconstruction."""
    return tags.get("RECONSTRUCTED") == "YES"


def acquisition_time(domains: Domains) -> str | None:
    """Returns the time or period of acquisition, as `utc_text` writes it, or None."""
    stated = domains.get("IMAGERY", {}).get("ACQUISITIONDATETIME")
    try:
        return utc_text(stated or domains.get("HSI_XR", {}).get("ACQUIRED", ""))
    except UsageError:  # absent, a day without a time, or in another notation
        return None


def _acquisition_tags(time: datetime | str) -> tuple[str, dict[str, str]]:
    """Returns domain and tags: GDAL's own tag for an instant, and ours for a period."""
    start, end = period(time)
    if start == end:
        return "IMAGERY", {"ACQUISITIONDATETIME": f"{start:%Y-%m-%d %H:%M:%S.%f}"}
    return "HSI_XR", {"ACQUIRED": utc_text(time)}


def provenance_of(attrs: Mapping[Hashable, Any]) -> dict[str, Any]:
    """Returns the `hsi_xr_` attributes without their prefix, as plain Python values."""
    return {
        str(key).removeprefix(_PREFIX): _plain(value)
        for key, value in attrs.items()
        if str(key).startswith(_PREFIX)
    }


def compact_json(values: object) -> str:
    """Returns JSON without spaces; values that JSON cannot represent (paths, dates) become text."""
    return json.dumps(
        values,
        separators=(",", ":"),
        ensure_ascii=False,
        default=lambda value: _plain(value, otherwise=str),
    )


def _plain(value: Any, otherwise: Callable[[Any], Any] = lambda value: value) -> Any:
    """Converts numpy scalars and arrays to Python numbers and lists."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else otherwise(value)


def _json_object(tags: Mapping[str, str], key: str) -> dict[str, Any]:
    try:
        value = json.loads(tags.get(key, "{}"))
    except json.JSONDecodeError:  # another tool has edited it; the text tags remain
        return {}
    return value if isinstance(value, dict) else {}
