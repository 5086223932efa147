"""Scenes cut into tiles, and digests to compare folders of products."""

import hashlib
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from hsi_xr.batch.names import MANIFEST
from tests.scenes import GRID, UTM, save

TAKEN = "2026-05-04T10:30:00+00:00"


def cut(
    folder: Path, pixels: np.ndarray, rows: list[int], columns: list[int], **profile: object
) -> list[Path]:
    """Write an image, (bands, rows, columns), as tiles that start at the given rows and columns."""
    folder.mkdir(exist_ok=True)
    ends = [*rows[1:], pixels.shape[1]], [*columns[1:], pixels.shape[2]]
    return [
        save(
            folder / f"tile_{i}_{j}.tif",
            pixels[:, top:bottom, left:right],
            transform=GRID @ Affine.translation(left, top),
            crs=UTM,
            **profile,
        )
        for i, (top, bottom) in enumerate(zip(rows, ends[0]))
        for j, (left, right) in enumerate(zip(columns, ends[1]))
    ]


def stored(path: Path) -> np.ndarray:
    """Returns the stored values of a product."""
    with rasterio.open(path) as src:
        return src.read()


def digests(folder: Path) -> dict[str, str]:
    """Returns relative name -> sha256 of all files except the manifest."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
