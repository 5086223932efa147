"""The demo scene: a small farm landscape rendered with its true spectra and as a drone sees it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hsi_xr.demo import drone_camera, land, structures
from hsi_xr.demo.canvas import Canvas, reflectance
from hsi_xr.demo.structures import Box

EPSG: Final = 32632
CORNER: Final = (500_000.0, 5_400_000.0)
"""Easting and northing of the upper left corner: a round place near 9.0 E, 48.75 N."""

INSTANT: Final = datetime(2026, 8, 20, 9, 30, tzinfo=UTC)
"""The moment whose sun lights the scene; nothing was acquired then, the scene is rendered."""

PLACES: Final = {
    "maize": (13.65, 20.35),
    "ploughed soil": (41.5, 14.0),
    "clay-tile roof": (43.6, 54.6),
    "sunflowers": (84.45, 73.65),
}
"""Metres east and south of the corner where something typical can be looked at."""


@dataclass(frozen=True)
class Scene:
    """A picture and the spectra behind it."""

    rgb: NDArray[np.uint8]
    """sRGB as delivered, (3, rows, columns)."""
    truth: NDArray[np.float32]
    """Reflectance relative to a level white plate in the open sun, (31, rows, columns)."""
    exposure: float
    """Linear RGB that the picture has for that white plate, where 1 is full scale."""
    pixel: float
    """Ground size of a pixel in metres."""

    @property
    def geotransform(self) -> tuple[float, float, float, float, float, float]:
        """a, b, c, d, e, f of x = a column + b row + c, y = d column + e row + f (rasterio's)."""
        return (self.pixel, 0.0, CORNER[0], 0.0, -self.pixel, CORNER[1])

    def places(self) -> dict[str, tuple[int, int]]:
        """Row and column of each of `PLACES` that lies in the scene."""
        rows, columns = self.truth.shape[1:]
        found = {n: (int(y / self.pixel), int(x / self.pixel)) for n, (x, y) in PLACES.items()}
        return {name: at for name, at in found.items() if at[0] < rows and at[1] < columns}


def render(rows: int = 768, columns: int = 1024, *, seed: int = 0, pixel: float = 0.1) -> Scene:
    """Paint the landscape, light it, photograph it.

    The landscape is some 77 by 102 m; a scene shows its upper left part at `pixel` metres. Same
    arguments, same scene, to the bit.
    """
    chance = np.random.default_rng(seed)
    ground = Canvas.blank((rows, columns), pixel, chance)
    _ground(ground)
    _farm(ground, chance)
    structures.wood(ground, chance)
    structures.orchard(ground, chance)
    structures.single_trees(ground, chance)
    truth = reflectance(ground)
    linear = drone_camera.expose(truth, 1.0)
    exposure = float(0.93 / np.quantile(linear[:, ::2, ::2].max(axis=0), 0.9995))
    exposure = min(exposure, 2.0)
    linear *= np.float32(exposure)
    return Scene(drone_camera.develop(linear, noise=chance), truth, exposure, pixel)


def _ground(ground: Canvas) -> None:
    for lay in (
        land.meadow,
        land.fields,
        land.orchard_floor,
        land.flower_strips,
        land.road,
        land.yard,
        land.pond,
        structures.beds,
    ):
        lay(ground)


def _farm(ground: Canvas, chance: np.random.Generator) -> None:
    tiled = Box(46.0, 53.4, 11.0, 7.6, 4.0)
    structures.gable_roof(ground, chance, tiled, cladding="clay tiles")
    structures.panels(ground, Box(48.6, 55.3, 4.8, 2.0, 4.0), tall=5.6)
    structures.block(ground, Box(43.0, 52.9, 0.9, 0.7, 4.0), {"old tiles": 0.8}, 7.6)
    barn = Box(57.0, 66.0, 14.0, 9.0, 90.0)
    structures.gable_roof(ground, chance, barn, cladding="zinc", eaves=4.5)
    shed = Box(60.8, 44.6, 6.5, 5.0, -8.0)
    structures.gable_roof(ground, chance, shed, cladding="old tiles", eaves=2.6)
    structures.flat_roof(ground, Box(55.6, 54.6, 4.0, 3.4), cladding="white", tall=2.6)
    structures.car(ground, Box(52.2, 49.6, 4.3, 1.8, 78.0), "red paint")
    structures.car(ground, Box(58.8, 49.3, 4.4, 1.8, 86.0), "blue plastic")
    structures.car(ground, Box(76.0, 35.2, 4.8, 1.9, -7.0), "white")
    structures.round_things(ground, 41.0, 60.0, 1.9, {"blue plastic": 0.55, "clear water": 0.4})
    for number in range(6):
        x, y = 75.5 + 1.8 * (number % 2), 4.0 + 4.6 * number
        bale = Box(x - 0.2 * y, y, 1.5, 1.2, 78.0 + 5 * number)
        structures.block(ground, bale, {"ripe wheat": 0.85, "dry grass": 0.15}, 1.1)
