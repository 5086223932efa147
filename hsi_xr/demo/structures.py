"""What stands on the ground of the demo scene: trees, houses, cars, bales, garden beds."""

from dataclasses import dataclass

import numpy as np

from hsi_xr.demo.canvas import Canvas, Mixture
from hsi_xr.demo.land import band, road_centre
from hsi_xr.demo.texture import Image, ramp

SPECIES = (("oak", "birch"), ("oak", "maize"), ("birch", "lawn"), ("oak", "yellowing crown"))
"""The two materials of which the crown of one tree is mixed."""


@dataclass(frozen=True)
class Box:
    """A rectangle on the ground, in metres and degrees clockwise from east."""

    x: float
    y: float
    length: float
    width: float
    angle: float = 0.0

    def window(self, land: Canvas) -> Canvas:
        """The part of the canvas that holds it."""
        return land.part(land.near(self.x, self.y, 0.75 * max(self.length, self.width)))

    def axes(self, land: Canvas) -> tuple[Image, Image]:
        """Metres from the centre of the box, along its length and across."""
        turn = np.radians(self.angle)
        east, south = land.x - self.x, land.y - self.y
        along = np.cos(turn) * east + np.sin(turn) * south
        return along, np.cos(turn) * south - np.sin(turn) * east

    def cover(self, land: Canvas, soft: float = 0.1) -> Image:
        along, across = self.axes(land)
        inside = np.minimum(self.length / 2 - np.abs(along), self.width / 2 - np.abs(across))
        return ramp(inside, -soft / 2, soft / 2)


def tree(
    land: Canvas, chance: np.random.Generator, place: tuple[float, float], radius: float
) -> None:
    """A crown of leaf clusters; one of `SPECIES`, one brightness, one outline."""
    x, y = place
    pair = SPECIES[chance.choice(len(SPECIES), p=(0.36, 0.30, 0.26, 0.08))]
    share, light = chance.uniform(0.3, 0.9), chance.uniform(0.85, 1.15)
    turns = chance.uniform(0, 6, 3)
    here = land.part(land.near(x, y, 1.4 * radius))
    angle = np.arctan2(here.y - y, here.x - x)
    wobble = sum(0.06 * np.cos(k * angle + turn) for k, turn in zip((2, 3, 5), turns, strict=True))
    out = np.hypot(here.x - x, here.y - y) / (radius * (1 + wobble))
    dome = np.sqrt(np.clip(1 - out**2, 0, 1))
    coarse = min(1.0, radius / 2.5)
    lumps = 0.22 * coarse * (here.boughs - 1) + 0.05 * here.clumps
    leaves = ramp(1 - out + lumps + 0.03 * here.grain, 0.0, 0.10)
    tone = light * (0.92 + 0.10 * here.boughs + 0.05 * here.clumps + 0.07 * here.grain)
    tall = radius * (0.9 + 0.95 * dome + 0.28 * coarse * here.boughs) + 0.10 * here.clumps
    mixture: Mixture = {pair[0]: share * tone, pair[1]: (1 - share) * tone}
    here.paint(leaves, mixture, tall)


def wood(land: Canvas, chance: np.random.Generator) -> None:
    """Crowns of all sizes, dense towards the north-east, small ones first."""
    crowns: list[tuple[float, float, float]] = []
    for _ in range(900):
        x, y, radius = chance.uniform(82, 107), chance.uniform(-4, 33), chance.uniform(1.2, 3.4)
        outside = (86.5 - 0.16 * y + 1.2 * np.sin(y / 3)) - x
        if outside > 0 or y > road_centre(np.array(x)) - 6 - 0.4 * radius:
            continue
        if all(np.hypot(x - a, y - b) > 0.72 * (radius + r) for a, b, r in crowns):
            crowns.append((x, y, radius))
    for x, y, radius in sorted(crowns, key=lambda crown: crown[2]):
        tree(land, chance, (x, y), radius)


def orchard(land: Canvas, chance: np.random.Generator) -> None:
    """Small round trees in rows, a few missing."""
    for row in range(5):
        for place in range(10):
            x = 73.8 + 3.5 * place + chance.normal(0, 0.15)
            y = 46.4 + 4.4 * row + chance.normal(0, 0.15)
            if y < 63 and chance.uniform() < 0.94:
                tree(land, chance, (x, y), chance.uniform(1.15, 1.65))


def single_trees(land: Canvas, chance: np.random.Generator) -> None:
    """Along the road, around the pond and the farm, and shrubs of a hedge between two fields."""
    for place in np.linspace(0, 1, 17):
        y = 1 + 27 * place
        tree(land, chance, (33.0 - 0.2 * y + chance.normal(0, 0.2), y), chance.uniform(0.6, 1.3))
    known = (
        (4, 47.5, 2.9), (12.5, 44.8, 2.2), (33.5, 47, 3.3), (36.2, 52.5, 2.3), (34.5, 65, 3.6),
        (5, 72, 3.2), (9.5, 74.8, 2.4), (66.8, 47, 2.6), (67.6, 60, 2.2), (38.5, 73.5, 3.0),
        (64.5, 74.5, 2.0), (28, 73.5, 1.6), (2, 60, 1.8), (66, 68.5, 2.8), (97, 41.8, 2.1),
    )  # fmt: skip
    for x, y, radius in known:
        tree(land, chance, (x, y), radius)


def gable_roof(
    land: Canvas, chance: np.random.Generator, box: Box, *, cladding: str, eaves: float = 4.0
) -> None:
    """Two slopes of clay tiles (`clay tiles`, `old tiles`) or of seamed metal (`zinc`)."""
    here = box.window(land)
    along, across = box.axes(here)
    slope = 0.35 if cladding == "zinc" else 0.75
    tall = eaves + slope * (box.width / 2 - np.abs(across))
    if cladding == "zinc":
        tone = 1 - 0.16 * ramp(np.abs(along % 0.6 - 0.3), 0.10, 0.04) + 0.03 * here.grain
        rust = 0.35 * ramp(here.patches + 0.5 * here.clumps, 0.4, 2.2)
        mixture: Mixture = {"zinc": (1 - rust) * tone, "old tiles": 0.8 * rust * tone}
    else:
        course, column = np.floor(across / 0.36).astype(int), np.floor(along / 0.3).astype(int)
        tiles = chance.normal(1, 0.09, (97, 89)).astype(np.float32)[course % 97, column % 89]
        tone = tiles * (1 - 0.20 * ramp(across % 0.36, 0.12, 0.0)) * (1 + 0.04 * here.patches)
        moss = 0.30 * ramp(here.clumps + 0.5 * here.patches, 0.7, 2.2)
        other = "old tiles" if cladding == "clay tiles" else "clay tiles"
        mixture = {
            cladding: 0.8 * (1 - moss) * tone,
            other: 0.2 * (1 - moss) * tone,
            "lichen": 0.45 * moss * tone,
        }
    here.paint(box.cover(here), mixture, tall)
    ridge = box.cover(here) * ramp(np.abs(across), 0.2, 0.1)
    here.paint(ridge, {"concrete": 0.5, "old tiles": 0.3})


def flat_roof(land: Canvas, box: Box, *, cladding: str, tall: float) -> None:
    """A level roof with a raised rim."""
    here = box.window(land)
    along, across = box.axes(here)
    rim = np.minimum(box.length / 2 - np.abs(along), box.width / 2 - np.abs(across))
    dirt = 0.12 * ramp(here.patches + 0.3 * here.clumps, -0.2, 2.0) + 0.03 * here.grain
    mixture: Mixture = {cladding: 0.86 * (1 - dirt), "gravel": 0.3 * np.clip(dirt, 0, 1)}
    here.paint(box.cover(here), mixture, tall + 0.25 * ramp(rim, 0.45, 0.3))


def panels(land: Canvas, box: Box, *, tall: float) -> None:
    """Photovoltaic modules of 1.6 by 1.0 m in thin bright frames, on a slope to the south."""
    here = box.window(land)
    along, across = box.axes(here)
    frame = np.maximum(
        ramp(np.abs((along + box.length / 2) % 1.6 - 0.8), 0.70, 0.78),
        ramp(np.abs((across + box.width / 2) % 1.0 - 0.5), 0.42, 0.48),
    )
    mixture: Mixture = {"solar panel": 1 - 0.6 * frame, "zinc": 0.5 * frame}
    here.paint(box.cover(here), mixture, tall - 0.75 * across)


def block(land: Canvas, box: Box, mixture: Mixture, tall: float) -> None:
    """Anything with straight sides and one height: a chimney, a bale, a bed, a terrace."""
    here = box.window(land)
    here.paint(box.cover(here), mixture, tall)


def car(land: Canvas, box: Box, colour: str) -> None:
    """A body, a cabin with its windscreens, and a roof."""
    block(land, box, {colour: 0.8}, 0.9)
    cabin = Box(box.x, box.y, 0.62 * box.length, 0.86 * box.width, box.angle)
    block(land, cabin, {"fresh asphalt": 0.7, "solar panel": 0.3}, 1.25)
    roof = Box(box.x, box.y, 0.36 * box.length, 0.74 * box.width, box.angle)
    block(land, roof, {colour: 0.85}, 1.4)


def round_things(land: Canvas, x: float, y: float, radius: float, mixture: Mixture) -> None:
    """A disc at knee height: a round pool or a table."""
    here = land.part(land.near(x, y, 1.2 * radius))
    out = np.hypot(here.x - x, here.y - y)
    here.paint(ramp(out, radius + 0.25, radius + 0.15), {"white": 0.7}, 0.9)
    here.paint(ramp(out, radius, radius - 0.1), mixture, 0.8)


def beds(land: Canvas) -> None:
    """Garden beds: rows of flowers and vegetables on dark soil."""
    plants = ("poppy", "maize", "sunflower", "lavender", "maize, pale", "beetroot")
    for number, plant in enumerate(plants):
        box = Box(46.5, 63.4 + 1.9 * number, 8.5, 1.25)
        here = box.window(land)
        bloom = ramp(here.clumps + 0.5 * here.grain, -0.9, 0.1) * band(
            np.abs(here.x - 46.5), -1, 4.1, 0.2
        )
        light = 1 + 0.1 * here.grain
        mixture: Mixture = {
            plant: 0.75 * bloom * light,
            "grass": 0.2 * bloom * light,
            "wet soil": 0.8 * (1 - bloom) * light,
        }
        here.paint(box.cover(here), mixture, 0.35 * bloom)
