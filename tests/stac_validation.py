"""Where the schemas of STAC extensions lie, and items held against them."""

import os
from pathlib import Path
from typing import Any

from hsi_xr.stac.validate.schemas import unchecked, violations

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = Path(os.environ.get("HSI_XR_STAC_SCHEMAS", ROOT.parent / "shared" / "stac_schemas"))


def validate(item: dict[str, Any], folder: Path | None = None) -> list[str]:
    """The extensions that were not looked at; what is invalid fails."""
    assert violations(item, folder) == []
    return unchecked(item, folder)
