"""STAC objects as files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hsi_xr.io.upload import stage_file


def save(stac: Mapping[str, Any], path: Path) -> Path:
    """Write an item or a collection, complete or not at all.

    Raises:
        DestinationUnwritable: The disk is full, the folder read-only, or the store refuses.
    """
    with stage_file(path) as part:
        part.write_text(json.dumps(stac, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path
