"""Validates STAC items without a network: the core as pystac bundles it, extensions from a folder.

pystac's own `item.validate()` fetches every extension schema; here a schema that is not at hand is
reported in `skipped` instead.
"""

import json
import os
from pathlib import Path
from typing import Any

import pyproj
import pystac
from pystac.validation.stac_validator import JsonSchemaSTACValidator

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = Path(os.environ.get("HSI_XR_STAC_SCHEMAS", ROOT.parent / "shared" / "stac_schemas"))


class OfflineValidator(JsonSchemaSTACValidator):
    """Core and the extensions `<name>-v<version>.json` of a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self.skipped: list[str] = []
        for path in sorted(folder.glob("*-v*.json")) if folder is not None else ():
            name, version = path.stem.rsplit("-", 1)
            uri = f"https://stac-extensions.github.io/{name}/{version}/schema.json"
            self.schema_cache[uri] = json.loads(path.read_text())
        projjson = Path(pyproj.datadir.get_data_dir()) / "projjson.schema.json"
        self.schema_cache["https://proj.org/schemas/v0.7/projjson.schema.json"] = json.loads(
            projjson.read_text()
        )

    def _get_schema(self, schema_uri: str) -> dict[str, Any]:
        try:
            return self.schema_cache[schema_uri]
        except KeyError:
            raise LookupError(f"no schema at hand for {schema_uri}") from None

    def validate_extension(
        self, stac_dict: dict[str, Any], stac_object_type: Any, stac_version: str,
        extension_id: str, href: str | None = None,
    ) -> Any:  # fmt: skip
        if extension_id not in self.schema_cache:
            self.skipped.append(extension_id)
            return None
        return super().validate_extension(
            stac_dict, stac_object_type, stac_version, extension_id, href
        )


def validate(item: dict[str, Any], folder: Path | None = None) -> list[str]:
    """Raise pystac.errors.STACValidationError if invalid; return the extensions not looked at."""
    validator = OfflineValidator(folder)
    pystac.validation.validate_dict(item, validator=validator)
    return validator.skipped
