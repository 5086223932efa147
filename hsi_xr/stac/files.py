"""STAC objects as files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hsi_xr.raster.disk import sync, writing


def save(stac: Mapping[str, Any], path: Path) -> Path:
    """Write an item or a collection, complete or not at all.

    Raises:
        DestinationUnwritable: The disk is full, or the folder read-only.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with writing(path):
            part.write_text(json.dumps(stac, indent=2, ensure_ascii=False) + "\n", "utf-8")
            sync(part)
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
