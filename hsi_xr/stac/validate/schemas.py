"""STAC objects against their schemas, without a network.

pystac brings the schemas of the core; those of extensions are of others, and are taken from a
folder where there is one. pystac's own `validate()` would fetch them, and stops at the first schema
that has something against an object.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsi_xr.errors import UsageError

if TYPE_CHECKING:
    from referencing import Registry

PROJJSON = "https://proj.org/schemas/v0.7/projjson.schema.json"
VERSION = "1.1.0"
"""Of STAC, of which pystac has the schemas."""
_CORE = {
    "Feature": "item-spec/json-schema/item.json",
    "Collection": "collection-spec/json-schema/collection.json",
    "Catalog": "catalog-spec/json-schema/catalog.json",
}


def violations(stac: Mapping[str, Any], schemas: Path | None = None) -> list[str]:
    """What the schemas have against an item, a collection or a catalogue, each in a line.

    Args:
        stac: What JSON can hold.
        schemas: Folder with schemas of extensions as `<name>-v<version>.json`; those that are not
            there are not looked at.

    Raises:
        UsageError: The folder holds no schema, or one that is none.
    """
    stac = json.loads(json.dumps(stac))  # tuples are no arrays to a schema
    kind, version = stac.get("type"), stac.get("stac_version")
    if not isinstance(kind, str) or kind not in _CORE:
        return [f"its type is {json.dumps(kind)}, which is none of {', '.join(_CORE)}"]
    if version != VERSION:
        return [f"it is of STAC {json.dumps(version)}, and only {VERSION} can be looked at"]
    core = f"https://schemas.stacspec.org/v{VERSION}/{_CORE[kind]}"
    known = [uri for uri in _extensions(stac) if uri in _known(schemas)]
    return sorted({line for uri in (core, *known) for line in _against(stac, uri, schemas)})


def unseen(stac: Mapping[str, Any], schemas: Path | None = None) -> list[str]:
    """The extensions that `violations` does not look at."""
    return [uri for uri in _extensions(stac) if uri not in _known(schemas)]


def _extensions(stac: Mapping[str, Any]) -> list[str]:
    found = stac.get("stac_extensions")
    return [uri for uri in found if isinstance(uri, str)] if isinstance(found, list) else []


def _against(stac: Mapping[str, Any], uri: str, folder: Path | None) -> list[str]:
    from referencing.exceptions import Unresolvable

    try:
        return [_line(error) for error in _validator(uri, folder).iter_errors(stac)]
    except Unresolvable as error:  # one schema refers to another
        return [f"no schema at hand for {error.ref}, to which {uri} refers; put it there as well"]


@lru_cache
def _validator(uri: str, folder: Path | None) -> Any:
    from jsonschema.validators import validator_for

    schema = _known(folder)[uri]
    return validator_for(schema)(schema, registry=_registry(folder))


@lru_cache
def _registry(folder: Path | None) -> "Registry[Any]":
    from referencing import Registry, Resource

    # by their URLs: the `$id` in the schema of processing v1.1.0 is that of another version
    pairs = [(uri, Resource.from_contents(schema)) for uri, schema in _known(folder).items()]
    return Registry().with_resources(pairs)


@lru_cache
def _known(folder: Path | None) -> dict[str, dict[str, Any]]:
    """URL -> schema."""
    from pystac.validation.local_validator import get_local_schema_cache

    return {
        **get_local_schema_cache(),
        **(_of_extensions(folder) if folder is not None else {}),
        PROJJSON: _read(_projjson()),
    }


def _of_extensions(folder: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted(folder.glob("*-v*.json")):
        name, version = path.stem.rsplit("-", 1)
        found[f"https://stac-extensions.github.io/{name}/{version}/schema.json"] = _read(path)
    if not found:
        raise UsageError(
            f"{str(folder)!r} holds no schema of an extension; they are looked for as "
            "<name>-v<version>.json, e.g. eo-v2.0.0.json"
        )
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} is no schema ({error}); get it anew") from error
    return found


def _projjson() -> Path:
    from pyproj.datadir import get_data_dir

    return Path(get_data_dir()) / "projjson.schema.json"


def _line(cause: Any) -> str:
    """One violation: where, and what."""
    from jsonschema.exceptions import best_match

    cause = best_match([cause]) or cause
    place = "/".join(map(str, cause.absolute_path))
    return f"{place + ': ' if place else ''}{' '.join(cause.message.split())[:300]}"
