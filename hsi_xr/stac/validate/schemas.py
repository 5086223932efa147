"""Validation of STAC objects against their JSON schemas, without network access.

pystac provides the schemas of the core; those of extensions are read from a folder. pystac's
`JsonSchemaSTACValidator` is not used: it downloads missing schemas, logs a traceback if a reference
cannot be resolved, and rebuilds its registry for each schema, which takes 2.7 times as long.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsi_xr.errors import UsageError
from hsi_xr.stac.document import sequence

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator
    from referencing import Registry

Schema = dict[str, Any]

VERSION = "1.1.0"
"""Version of STAC whose schemas pystac provides."""
_PROJJSON = "https://proj.org/schemas/v0.7/projjson.schema.json"
_CORE = {
    "Feature": "item-spec/json-schema/item.json",
    "Collection": "collection-spec/json-schema/collection.json",
    "Catalog": "catalog-spec/json-schema/catalog.json",
}


def violations(stac: Mapping[str, Any], schemas: Path | None = None) -> list[str]:
    """Returns the schema violations of an item, collection or catalogue, one line each.

    Args:
        stac: The object as JSON.
        schemas: Folder with schemas of extensions as `<name>-v<version>.json`. Extensions without
            a schema in it are not checked.

    Raises:
        UsageError: The folder contains no schema, or an invalid one.
    """
    stac = json.loads(json.dumps(stac))  # for a schema, tuples are not arrays
    kind, version = stac.get("type"), stac.get("stac_version")
    if not isinstance(kind, str) or kind not in _CORE:
        return [f"its type is {json.dumps(kind)}, which is not one of {', '.join(_CORE)}"]
    if version != VERSION:
        return [f"it has STAC version {json.dumps(version)}, but only {VERSION} can be validated"]
    core = f"https://schemas.stacspec.org/v{VERSION}/{_CORE[kind]}"
    known = [uri for uri in _extensions(stac) if uri in _schemas(schemas)]
    return sorted({line for uri in (core, *known) for line in _check(stac, uri, schemas)})


def unchecked(stac: Mapping[str, Any], schemas: Path | None = None) -> list[str]:
    """Returns the extensions that `violations` does not check."""
    return [uri for uri in _extensions(stac) if uri not in _schemas(schemas)]


def _extensions(stac: Mapping[str, Any]) -> list[str]:
    return [uri for uri in sequence(stac.get("stac_extensions")) if isinstance(uri, str)]


def _check(stac: Mapping[str, Any], uri: str, folder: Path | None) -> list[str]:
    from referencing.exceptions import Unresolvable

    try:
        return [_line(error) for error in _validator(uri, folder).iter_errors(stac)]
    except Unresolvable as error:
        return [f"the schema {uri} refers to {error.ref}, which is not in the folder of schemas"]


@lru_cache
def _validator(uri: str, folder: Path | None) -> "Validator":
    from jsonschema.validators import validator_for

    schema = _schemas(folder)[uri]
    return validator_for(schema)(schema, registry=_registry(folder))


@lru_cache
def _registry(folder: Path | None) -> "Registry[Any]":
    from referencing import Registry, Resource

    # by URL: the `$id` in the schema of processing v1.1.0 is that of another version
    pairs = [(uri, Resource.from_contents(schema)) for uri, schema in _schemas(folder).items()]
    return Registry().with_resources(pairs)


@lru_cache
def _schemas(folder: Path | None) -> dict[str, Schema]:
    """Returns all known schemas by URL."""
    from pyproj.datadir import get_data_dir
    from pystac.validation.local_validator import get_local_schema_cache

    return {
        **get_local_schema_cache(),
        **(_extension_schemas(folder) if folder is not None else {}),
        _PROJJSON: _read(Path(get_data_dir()) / "projjson.schema.json"),
    }


def _extension_schemas(folder: Path) -> dict[str, Schema]:
    schemas = {}
    for path in sorted(folder.glob("*-v*.json")):
        name, version = path.stem.rsplit("-", 1)
        schemas[f"https://stac-extensions.github.io/{name}/{version}/schema.json"] = _read(path)
    if not schemas:
        raise UsageError(
            f"{str(folder)!r} contains no schema of a STAC extension; name them "
            "<name>-v<version>.json, e.g. eo-v2.0.0.json"
        )
    return schemas


def _read(path: Path) -> Schema:
    try:
        schema: Schema = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} is not a schema ({error}); download it again") from error
    return schema


def _line(error: "ValidationError") -> str:
    """Returns where a violation is, and what it is."""
    from jsonschema.exceptions import best_match

    cause = best_match([error]) or error
    place = "/".join(map(str, cause.absolute_path))
    what = " ".join(cause.message.split())[:300]
    if cause.validator == "not":  # jsonschema quotes the schema instead
        what = f"{json.dumps(cause.instance)[:80]} is not allowed here"
    return f"{place}: {what}" if place else what
