"""How pixels came about, from attributes to GDAL tags and back.

An attribute that begins with `hsi_xr_` tells of the making and becomes a tag of domain HSI_XR, in
words for who looks there, and together as JSON in CONFIG, which brings the types back. What else
an array says of itself (units, standard_name, ...) is kept in domain XARRAY.
"""

import json
from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from hsi_xr._version import __version__
from hsi_xr.times import acquisition, acquisition_tags, instant

Domains = Mapping[str, Mapping[str, str]]
"""Domain -> tags, `""` being the default domain."""

DOMAINS = ("", "HSI_XR", "IMAGERY", "XARRAY")
"""Those that `attributes` reads."""

_PREFIX = "hsi_xr_"
_TAG_OF = {"scale": "SCALE_IN"}  # SCALE alone would be taken for the scale of the stored numbers
_ELSEWHERE = (_PREFIX, "grid_mapping", "datetime")


def scene_domains(
    attrs: Mapping[Hashable, Any],
    *,
    variable: str,
    variable_attrs: Mapping[Hashable, Any],
    written: datetime,
) -> dict[str, dict[str, str]]:
    """The tags of a dataset about its making.

    Args:
        attrs: Those that begin with `hsi_xr_` are stored, and `datetime` (ISO 8601), the time or
            the times between which it was acquired; the others have no place in a GeoTIFF.
        variable: The name of the array.
        variable_attrs: Its own attributes.
        written: When the file is written, with a time zone.

    Raises:
        MissingFact: `datetime` is a day without a time.
        UsageError: It is nothing of the kind.
    """
    made = stated(attrs)
    own = {str(key): value for key, value in variable_attrs.items()}
    kept = {key: value for key, value in own.items() if not key.startswith(_ELSEWHERE)}
    domains = {
        "": {
            "AREA_OR_POINT": "Area",
            "TIFFTAG_SOFTWARE": f"hsi-xr {__version__}",
            "TIFFTAG_DATETIME": f"{written.astimezone(UTC):%Y:%m:%d %H:%M:%S}",
        },
        "HSI_XR": {_TAG_OF.get(key, key.upper()): str(value) for key, value in made.items()}
        | {"CONFIG": compact(made)},
        "XARRAY": {"NAME": variable, "ATTRS": compact(kept)},
    }
    if (taken := attrs.get("datetime")) is not None:
        for domain, tags in acquisition_tags(taken).items():
            domains[domain] = {**domains.get(domain, {}), **tags}
    return domains


def store_domains(
    attrs: Mapping[Hashable, Any], variable: str, variable_attrs: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """The same of the global attributes of a store, and of those of one of its variables."""
    made = {key: _plain(value) for key, value in stated(attrs).items()}
    config = made.pop("config", None)
    domains = {
        "HSI_XR": {key.upper(): str(value) for key, value in made.items()},
        "XARRAY": {"NAME": variable, "ATTRS": compact(dict(variable_attrs))},
    }
    if config is not None:
        domains["HSI_XR"]["CONFIG"] = str(config)
    if (taken := attrs.get("datetime")) is not None:
        domains["IMAGERY"] = {"ACQUISITIONDATETIME": str(taken)}
    if (written := attrs.get("date_created")) is not None and config is not None:
        domains[""] = {"TIFFTAG_DATETIME": f"{instant(str(written)):%Y:%m:%d %H:%M:%S}"}
    return domains


def domains_of(raster: Any) -> dict[str, dict[str, str]]:
    """Those that `attributes` reads, of an open raster; of ENVI's also where only a header is."""
    scene = {domain: dict(raster.tags(ns=domain)) for domain in DOMAINS}
    header = raster.tags(ns="ENVI")
    if "CONFIG" not in scene["HSI_XR"] and "hsi_xr_config" in header:
        made = {"CONFIG": header["hsi_xr_config"]}
        facts = _json_object(made, "CONFIG").items()
        scene["HSI_XR"] = made | {key.upper(): str(value) for key, value in facts}
        scene["XARRAY"] = {"NAME": header.get("hsi_xr_variable", "reflectance")}
        scene["IMAGERY"] = {"ACQUISITIONDATETIME": header.get("acquisition_time", "")}
    return scene


def attributes(scene: Domains) -> dict[str, Any]:
    """The attributes that `scene_domains` stored, with their types."""
    attrs = _json_object(scene.get("XARRAY", {}), "ATTRS") | provenance(scene.get("HSI_XR", {}))
    if taken := acquisition(scene.get("IMAGERY", {}), scene.get("HSI_XR", {})):
        attrs["datetime"] = taken
    return attrs


def provenance(tags: Mapping[str, str]) -> dict[str, Any]:
    """The `hsi_xr_` attributes that the HSI_XR tags of a dataset hold."""
    return {_PREFIX + key: value for key, value in _json_object(tags, "CONFIG").items()}


def is_product(tags: Mapping[str, str]) -> bool:
    """Whether the HSI_XR tags of a dataset say that its pixels are a reconstruction."""
    return tags.get("RECONSTRUCTED") == "YES"


def stated(attrs: Mapping[Hashable, Any]) -> dict[str, Any]:
    """What the `hsi_xr_` attributes say, without their prefix, in types that JSON has."""
    return {
        str(key).removeprefix(_PREFIX): _plain(value)
        for key, value in attrs.items()
        if str(key).startswith(_PREFIX)
    }


def compact(values: Any) -> str:
    """JSON without spaces; what JSON cannot hold (a path, a date) as its text."""
    return json.dumps(
        values, separators=(",", ":"), ensure_ascii=False, default=lambda value: _plain(value, str)
    )


def _plain(value: Any, otherwise: Any = lambda value: value) -> Any:
    """Numbers and arrays of numpy as Python's own."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else otherwise(value)


def _json_object(tags: Mapping[str, str], key: str) -> dict[str, Any]:
    try:
        value = json.loads(tags.get(key, "{}"))
    except json.JSONDecodeError:  # edited by another tool; the other tags still say it
        return {}
    return value if isinstance(value, dict) else {}
