"""The demo scene: a small farm landscape, as true spectra and as the RGB image of a drone."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hsi_xr.demo import drone_camera, land, structures
from hsi_xr.demo.canvas import Canvas, reflectance
from hsi_xr.demo.seasons import SEASONS
from hsi_xr.demo.structures import Box

EPSG: Final = 32632
CORNER: Final = (500_000.0, 5_400_000.0)
"""Easting and northing (m) of the upper left corner, near 9.0 E, 48.75 N."""

INSTANT: Final = datetime(2026, 8, 20, 9, 30, tzinfo=UTC)
"""Time for which the position of the sun is computed. Nothing was acquired then."""

PLACES: Final = {
    "maize": (13.65, 20.35),
    "ploughed soil": (41.5, 14.0),
    "clay-tile roof": (43.6, 54.6),
    "sunflowers": (84.45, 73.65),
}
"""Points with typical materials: metres east and south of the corner."""


PANEL: Final = Box(21.0, 46.4, 2.0, 2.0, 12.0)
"""A grey reference panel, 2 m wide, on open and level ground."""


@dataclass(frozen=True)
class Scene:
    """A rendered RGB image and the true reflectance of every pixel."""

    rgb: NDArray[np.uint8]
    """8-bit sRGB, (3, rows, columns)."""
    truth: NDArray[np.float32]
    """Reflectance relative to a level white panel in full sun, (31, rows, columns)."""
    exposure: float
    """Linear RGB of that white panel in the image, where 1 is full scale."""
    pixel: float
    """Ground size of a pixel in metres."""
    season: str = "summer"
    """One of `SEASONS`."""

    @property
    def geotransform(self) -> tuple[float, float, float, float, float, float]:
        """a, b, c, d, e, f of x = a column + b row + c, y = d column + e row + f (rasterio's)."""
        return (self.pixel, 0.0, CORNER[0], 0.0, -self.pixel, CORNER[1])

    @property
    def panel(self) -> tuple[int, int]:
        """Row and column of the middle of the grey panel."""
        return int(PANEL.y / self.pixel), int(PANEL.x / self.pixel)

    def places(self) -> dict[str, tuple[int, int]]:
        """Returns (row, column) of each of `PLACES` that is inside the scene."""
        rows, columns = self.truth.shape[1:]
        names = SEASONS[self.season].places
        pixels = {
            names.get(name, name): (int(y / self.pixel), int(x / self.pixel))
            for name, (x, y) in PLACES.items()
        }
        return {n: pixel for n, pixel in pixels.items() if pixel[0] < rows and pixel[1] < columns}


def render(
    rows: int = 768,
    columns: int = 1024,
    *,
    seed: int = 0,
    season: str = "summer",
    pixel: float = 0.1,
) -> Scene:
    """Renders the landscape: paints materials and heights, lights them, and takes the RGB image.

    The same arguments give the same scene, bit for bit.

    Args:
        rows: Height of the image in pixels.
        columns: Width of the image in pixels. The landscape is about 77 m high and 102 m wide; the
            image shows its upper left part.
        seed: Seed of all random textures, objects and noise.
        season: One of `SEASONS`, which decides what grows. The sun is that of `INSTANT`.
        pixel: Ground size of a pixel in metres.
    """
    rng = np.random.default_rng(seed)
    canvas = Canvas.blank((rows, columns), pixel, rng)
    _paint_ground(canvas)
    _paint_farm(canvas, rng)
    structures.wood(canvas, rng)
    structures.orchard(canvas, rng)
    structures.single_trees(canvas, rng)
    structures.block(canvas, PANEL, {"grey panel": 1.0}, 0.02)
    truth = reflectance(canvas, replaced=SEASONS[season].materials)
    linear = drone_camera.expose(truth, 1.0)
    exposure = float(0.93 / np.quantile(linear[:, ::2, ::2].max(axis=0), 0.9995))
    exposure = min(exposure, 2.0)
    linear *= np.float32(exposure)
    return Scene(drone_camera.develop(linear, noise=rng), truth, exposure, pixel, season)


def _paint_ground(canvas: Canvas) -> None:
    for paint in (
        land.meadow,
        land.fields,
        land.orchard_floor,
        land.flower_strips,
        land.road,
        land.yard,
        land.pond,
        structures.beds,
    ):
        paint(canvas)


def _paint_farm(canvas: Canvas, rng: np.random.Generator) -> None:
    tiled = Box(46.0, 53.4, 11.0, 7.6, 4.0)
    structures.gable_roof(canvas, rng, tiled, cladding="clay tiles")
    structures.panels(canvas, Box(48.6, 55.3, 4.8, 2.0, 4.0), height=5.6)
    structures.block(canvas, Box(43.0, 52.9, 0.9, 0.7, 4.0), {"old tiles": 0.8}, 7.6)
    barn = Box(57.0, 66.0, 14.0, 9.0, 90.0)
    structures.gable_roof(canvas, rng, barn, cladding="zinc", eaves=4.5)
    shed = Box(60.8, 44.6, 6.5, 5.0, -8.0)
    structures.gable_roof(canvas, rng, shed, cladding="old tiles", eaves=2.6)
    structures.flat_roof(canvas, Box(55.6, 54.6, 4.0, 3.4), cladding="white", height=2.6)
    structures.car(canvas, Box(52.2, 49.6, 4.3, 1.8, 78.0), "red paint")
    structures.car(canvas, Box(58.8, 49.3, 4.4, 1.8, 86.0), "blue plastic")
    structures.car(canvas, Box(76.0, 35.2, 4.8, 1.9, -7.0), "white")
    structures.round_pool(canvas, 41.0, 60.0, 1.9, {"blue plastic": 0.55, "clear water": 0.4})
    for number in range(6):
        x, y = 75.5 + 1.8 * (number % 2), 4.0 + 4.6 * number
        bale = Box(x - 0.2 * y, y, 1.5, 1.2, 78.0 + 5 * number)
        structures.block(canvas, bale, {"ripe wheat": 0.85, "dry grass": 0.15}, 1.1)
