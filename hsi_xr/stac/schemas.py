"""STAC objects against their schemas, without a network.

pystac brings the schemas of the core; those of extensions are of others, and are taken from a
folder where there is one. pystac's own `validate()` would fetch them.
"""

import json
import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pystac.errors import STACValidationError
from pystac.validation import validate_dict
from pystac.validation.stac_validator import JsonSchemaSTACValidator

PROJJSON = "https://proj.org/schemas/v0.7/projjson.schema.json"


def violations(stac: Mapping[str, Any], schemas: Path | None = None) -> list[str]:
    """What the schemas have against an item or a collection, each in a line.

    Args:
        stac: As JSON.
        schemas: Folder with schemas of extensions as `<name>-v<version>.json`; those that are not
            there are not looked at.
    """
    validator = _validator(schemas)
    log = logging.getLogger("pystac")
    before = log.level
    log.setLevel(logging.CRITICAL)  # it logs each violation with a traceback
    try:
        validate_dict(dict(stac), validator=validator)
    except STACValidationError as error:
        found = {_line(cause) for cause in error.source or []}
        return sorted(found) or [" ".join(str(error).split())]
    except LookupError as error:
        return [str(error)]
    finally:
        log.setLevel(before)
    return []


def unseen(stac: Mapping[str, Any], schemas: Path | None = None) -> list[str]:
    """The extensions that `violations` does not look at."""
    known = _validator(schemas).schema_cache
    return [uri for uri in stac.get("stac_extensions", ()) if uri not in known]


class _Offline(JsonSchemaSTACValidator):
    """Knows the schemas that it is given."""

    def __init__(self, folder: Path | None) -> None:
        super().__init__()
        for path in sorted(folder.glob("*-v*.json")) if folder is not None else ():
            name, version = path.stem.rsplit("-", 1)
            uri = f"https://stac-extensions.github.io/{name}/{version}/schema.json"
            self.schema_cache[uri] = json.loads(path.read_text("utf-8"))
        self.schema_cache[PROJJSON] = json.loads(_projjson().read_text("utf-8"))

    def _get_schema(self, schema_uri: str) -> dict[str, Any]:
        if schema_uri not in self.schema_cache:
            raise LookupError(f"no schema at hand for {schema_uri}")
        return self.schema_cache[schema_uri]

    def validate_extension(
        self,
        stac_dict: dict[str, Any],
        stac_object_type: Any,
        stac_version: str,
        extension_id: str,
        href: str | None = None,
    ) -> Any:
        if extension_id not in self.schema_cache:
            return None
        return super().validate_extension(
            stac_dict, stac_object_type, stac_version, extension_id, href
        )


@lru_cache
def _validator(folder: Path | None) -> _Offline:
    return _Offline(folder)


def _projjson() -> Path:
    from pyproj.datadir import get_data_dir

    return Path(get_data_dir()) / "projjson.schema.json"


def _line(cause: Any) -> str:
    """One violation: where, and what."""
    from jsonschema.exceptions import best_match

    cause = best_match([cause]) or cause
    place = "/".join(map(str, cause.absolute_path))
    return f"{place + ': ' if place else ''}{' '.join(cause.message.split())[:300]}"
