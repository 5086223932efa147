"""The folder with schemas of STAC extensions, and validation of items against them."""

import os
from pathlib import Path
from typing import Any

from hsi_xr.stac.validate.schemas import unchecked, violations

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = Path(os.environ.get("HSI_XR_STAC_SCHEMAS", ROOT.parent / "shared" / "stac_schemas"))


def validate(item: dict[str, Any], folder: Path | None = None) -> list[str]:
    """Asserts that an item is valid; returns the extensions that were not checked."""
    assert violations(item, folder) == []
    return unchecked(item, folder)
