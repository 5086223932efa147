"""Runs the command line, and writes scenes for it."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from click.testing import CliRunner, Result

from hsi_xr.cli import cli

TRANSFORM = Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000)


def write_scene(
    path: Path, count: int = 3, dtype: str = "uint8", repeat: tuple[int, int] = (1, 1), **profile
) -> Path:
    """61 x 83 px, brighter to the east, with different rows: symmetry would hide bugs."""
    rows, columns = 61 * repeat[0], 83 * repeat[1]
    rng = np.random.default_rng(0)
    texture = rng.uniform(0.2, 1, (count, rows, columns)) * np.linspace(0.2, 1, columns)
    profile = {"crs": "EPSG:32633", "transform": TRANSFORM} | profile
    with rasterio.open(
        path, "w", driver="GTiff", width=columns, height=rows, count=count, dtype=dtype, **profile
    ) as dst:
        dst.write((texture * 255).astype(dtype))
    return path


def run(*arguments: object) -> Result:
    """Runs the command line in this process; unexpected errors keep their traceback."""
    return CliRunner().invoke(
        cli, [str(argument) for argument in arguments], catch_exceptions=False
    )
