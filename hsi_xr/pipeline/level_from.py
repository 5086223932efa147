"""The level of a scene from a reference: a reflectance product of the same ground.

The brightness of both is averaged over cells, which are pixels of the reference or squares of them,
and the level is a robust mean of the log ratios. Only windows across the scene are read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor, hypot
from typing import Any

import numpy as np
from affine import Affine
from dask.base import compute
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from hsi_xr.calibration.known_spectrum import BRIGHT
from hsi_xr.calibration.robust import fit_log_level
from hsi_xr.errors import InvalidData, UsageError
from hsi_xr.io import grid
from hsi_xr.io.averaging import Array, Grid
from hsi_xr.io.warping import average_onto, pixel_bounds
from hsi_xr.pipeline.brightness import OPTION, BrightnessRaster, of_reference, of_scene
from hsi_xr.pipeline.level import StatedLevel
from hsi_xr.pipeline.scene import Input, Scene
from hsi_xr.reconstructors._level import Level

WINDOW, WINDOWS, PIXELS = 512, 100, 2**26
"""Side of a window of the scene in pixels, number of windows read at once, and the largest number
of pixels that these windows may have in total."""

LEAST_CELL = 8
"""Smallest side of a cell in pixels of the scene, so that misregistration matters little."""

LARGEST_CELL = 8192
"""Largest side of a cell in pixels of the scene; one window must fit into memory."""

ENOUGH = 64
"""Number of valid cells at which reading stops; until then, further windows are read."""

COVERED = 0.9
"""Share of a cell that must be valid, and not overexposed, in both images."""

_GLINTS = 0.01
"""Largest share of cells of a reference that may be brighter than any ground, such as glints."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A scene and a reference for its level, whose pixels have not been read yet.

    Attributes:
        scene: The brightness of the scene.
        raster: The brightness of the reference.
        std: Standard deviation of the log brightness of one over that of the other.
        side: Side of a cell in pixels of the reference.
        cells: First row, first column, last row and last column of the cells, exclusive.
        window: Side of a window in cells.
    """

    scene: BrightnessRaster
    raster: BrightnessRaster
    std: float
    side: int
    cells: tuple[int, int, int, int]
    window: int

    @classmethod
    def of(cls, scene: Scene, reference: Input, radiometry: str | None) -> "Reference":
        """Pairs a scene with a reference, after all checks that need no pixels.

        Args:
            scene: The scene.
            reference: Path, DataArray or Dataset of reflectance.
            radiometry: What the values of the reference mean, if it is not stated.

        Raises:
            UsageError: The reference covers no cell of the scene, or its pixels are too large.
            HsiError: As for `of_reference`.
        """
        own, (raster, std) = of_scene(scene), of_reference(reference, radiometry)
        top, left, bottom, right = pixel_bounds(own.grid, raster.grid)
        (rows, columns), (height, width) = own.grid.shape, raster.grid.shape
        edges = np.array([top, left, bottom, right])
        if not (
            np.isfinite(edges).all() and bottom > 0 and right > 0 and top < height and left < width
        ):
            raise UsageError(
                f"the reference of {OPTION}, {raster.name!r}, does not overlap the scene; give a "
                "product of the same ground, or correct the CRS of one of them"
            )
        pixel = max((bottom - top) / rows, (right - left) / columns)
        least = max(1, min(LEAST_CELL, min(rows, columns) // LEAST_CELL))
        side = max(1, ceil(least * pixel - 1e-6))
        if (across := side / pixel) > LARGEST_CELL:
            raise UsageError(
                f"a pixel of the reference of {OPTION} is {across:,.0f} pixels of the scene wide, "
                "too many to average; give a reference with smaller pixels"
            )
        cells = (
            max(ceil(max(top, 0) / side - 1e-6), 0),
            max(ceil(max(left, 0) / side - 1e-6), 0),
            floor(min(bottom, height) / side + 1e-6),
            floor(min(right, width) / side + 1e-6),
        )
        if cells[2] <= cells[0] or cells[3] <= cells[1]:
            raise UsageError(
                f"no pixel of the reference of {OPTION}, {raster.name!r}, lies entirely within the "
                "scene; give a product of the same ground whose pixels are smaller than the scene"
            )
        return cls(own, raster, std, side, cells, max(1, round(WINDOW / across)))

    def __str__(self) -> str:
        return f"from {self.name}, when it runs"

    @property
    def name(self) -> str:
        """Name of the reference."""
        return self.raster.name

    def level(self) -> StatedLevel:
        """Reads both images, and returns the level of the scene.

        Raises:
            InvalidData: No cell is valid in both, or the reference is not reflectance.
        """
        own, known, weights = self._compare()
        _check_reflectance(known)
        usable = (own > 0) & (known > 0)
        if not usable.any():
            raise InvalidData(
                f"no pixel of the reference of {OPTION}, {self.name!r}, has a valid and positive "
                "value where the scene is valid and not overexposed; give a reference without "
                "clouds over the scene, check its nodata value, or state the level by level= "
                "(--level)"
            )
        ratios = np.log(own[usable] / known[usable])
        log_gain, std = fit_log_level(ratios, weights[usable])
        count = int(usable.sum())
        return StatedLevel(
            Level(float(np.exp(log_gain)), hypot(std, self.std)),
            "from reference",
            f"{self.name}, {count} place{'s' if count > 1 else ''} of {self.side} x {self.side} px",
        )

    def _compare(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Returns the brightness of scene and reference in cells, and the cells' valid share."""
        found: list[NDArray[Any]] = []
        for batch in self._batches():
            found += compute(*batch)
            if sum(part.shape[1] for part in found) >= ENOUGH:
                break
        own, known, share = np.concatenate(found, axis=1).astype("float64")
        return own, known, share

    def _batches(self) -> Iterator[list[Delayed]]:
        """Yields batches of window comparisons; each batch is spread across the scene."""
        top, left, bottom, right = self.cells
        corners = [
            (row, column)
            for row in range(top, bottom, self.window)
            for column in range(left, right, self.window)
        ]
        pixels = max(self._views(*corners[0])[0].shape) ** 2
        step = ceil(len(corners) / max(1, min(WINDOWS, PIXELS // pixels)))
        for first in range(step):
            yield [self._comparison(*corner) for corner in corners[first::step]]

    def _comparison(self, row: int, column: int) -> Delayed:
        """Returns the lazy (3, cells) comparison of the window at a cell."""
        fine, coarse = self._views(row, column)
        own, corner = _clipped(self.scene, fine)
        known, _ = _clipped(self.raster, self._footprint(coarse, row, column))
        return delayed(_compare_window, pure=False)(own, corner, fine, known, self.side, coarse)

    def _footprint(self, coarse: Grid, row: int, column: int) -> Grid:
        """Returns the pixels of the reference that make up the cells of a window."""
        rows, columns = (self.side * n for n in coarse.shape)
        corner = Affine.translation(self.side * column, self.side * row)
        return Grid(self.raster.grid.transform * corner, self.raster.grid.crs, (rows, columns))

    def _views(self, row: int, column: int) -> tuple[Grid, Grid]:
        """Returns the grids of scene and cells in the window at a cell.

        The first may extend beyond the scene.
        """
        base = self.raster.grid
        shape = (
            min(self.window, self.cells[2] - row),
            min(self.window, self.cells[3] - column),
        )
        corner = Affine.translation(self.side * column, self.side * row)
        coarse = Grid(base.transform * corner * Affine.scale(self.side), base.crs, shape)
        top, left, bottom, right = pixel_bounds(coarse, self.scene.grid)
        y, x = floor(top) - 1, floor(left) - 1
        size = (ceil(bottom) + 1 - y, ceil(right) + 1 - x)
        own = self.scene.grid
        return Grid(own.transform * Affine.translation(x, y), own.crs, size), coarse


def _clipped(raster: BrightnessRaster, view: Grid) -> tuple[Delayed, tuple[int, int]]:
    """Returns the lazy part of a raster in a view of it, and where in the view it begins."""
    ((x, y),) = grid.points(~raster.grid.transform, [(view.transform.c, view.transform.f)])
    x, y = round(x), round(y)
    rows = slice(max(y, 0), min(y + view.shape[0], raster.grid.shape[0]))
    columns = slice(max(x, 0), min(x + view.shape[1], raster.grid.shape[1]))
    return raster.read(rows, columns), (rows.start - y, columns.start - x)


def _compare_window(
    own: Array, corner: tuple[int, int], fine: Grid, known: Array, side: int, coarse: Grid
) -> NDArray[Any]:
    """Returns the brightness of scene and reference in the usable cells of a window.

    Args:
        own: Brightness of the scene, which begins at `corner` of the fine grid.
        corner: Row and column.
        fine: Pixels of the scene.
        known: Brightness of the reference, `side` times as many pixels a side as cells.
        side: Side of a cell in pixels of the reference.
        coarse: The cells.

    Returns:
        (3, cells): brightness of the scene, of the reference, and weight.
    """
    values = np.full(fine.shape, np.nan, "float32")
    values[corner[0] :, corner[1] :][: own.shape[0], : own.shape[1]] = own
    mean, share = average_onto(values, fine, coarse)
    rows, columns = coarse.shape
    blocks = known.reshape(rows, side, columns, side)
    valid = np.isfinite(blocks)
    count = valid.sum((1, 3))
    reference = np.where(valid, blocks, 0).sum((1, 3)) / np.maximum(count, 1)
    weight = np.minimum(share, 1) * count / side**2
    usable = (share >= COVERED) & (count >= COVERED * side**2)
    return np.stack([each[usable] for each in (mean, reference, weight)])


def _check_reflectance(known: NDArray[Any]) -> None:
    if len(known) and (known > BRIGHT).mean() > _GLINTS:
        raise InvalidData(
            f"the values of the reference of {OPTION} reach {known.max():g}, but a white "
            "reflector should be 1; name its product, e.g. level_radiometry='landsat-c2-sr' "
            "(--level-radiometry), or scale it, e.g. "
            "level_from=hsi_xr.open('reference.tif') * 1e-4 "
            "(--level-from 'vrt://reference.tif?a_scale=0.0001')"
        )
