"""Paints what stands on the ground of the demo scene: trees, buildings, cars, bales, garden beds.

All positions and sizes are in metres from the upper left corner of the scene.
"""

from dataclasses import dataclass

import numpy as np

from hsi_xr.demo.canvas import Canvas, Mixture
from hsi_xr.demo.land import band, road_centre
from hsi_xr.demo.texture import Image, ramp

SPECIES = (("oak", "birch"), ("oak", "maize"), ("birch", "lawn"), ("oak", "yellowing crown"))
"""Pairs of materials that are mixed in the crown of a tree."""


@dataclass(frozen=True)
class Box:
    """A rectangle on the ground: centre and sides in metres, degrees clockwise from east."""

    x: float
    y: float
    length: float
    width: float
    angle: float = 0.0

    def window(self, canvas: Canvas) -> Canvas:
        """Returns the part of a canvas that contains the box."""
        return canvas.crop(
            canvas.window_around(self.x, self.y, 0.75 * max(self.length, self.width))
        )

    def axes(self, canvas: Canvas) -> tuple[Image, Image]:
        """Returns the distances (m) from the centre of the box along its length and across it."""
        angle = np.radians(self.angle)
        east, south = canvas.x - self.x, canvas.y - self.y
        along = np.cos(angle) * east + np.sin(angle) * south
        return along, np.cos(angle) * south - np.sin(angle) * east

    def cover(self, canvas: Canvas, soft: float = 0.1) -> Image:
        """Returns 1 inside the box and 0 outside, with smooth edges of width `soft`."""
        along, across = self.axes(canvas)
        inside = np.minimum(self.length / 2 - np.abs(along), self.width / 2 - np.abs(across))
        return ramp(inside, -soft / 2, soft / 2)


def tree(
    canvas: Canvas, rng: np.random.Generator, centre: tuple[float, float], radius: float
) -> None:
    """Paints a crown of leaf clusters with random species, brightness and outline."""
    x, y = centre
    pair = SPECIES[rng.choice(len(SPECIES), p=(0.36, 0.30, 0.26, 0.08))]
    share, light = rng.uniform(0.3, 0.9), rng.uniform(0.85, 1.15)
    phases = rng.uniform(0, 6, 3)
    part = canvas.crop(canvas.window_around(x, y, 1.4 * radius))
    angle = np.arctan2(part.y - y, part.x - x)
    wobble = sum(
        0.06 * np.cos(k * angle + phase) for k, phase in zip((2, 3, 5), phases, strict=True)
    )
    out = np.hypot(part.x - x, part.y - y) / (radius * (1 + wobble))
    dome = np.sqrt(np.clip(1 - out**2, 0, 1))
    coarse = min(1.0, radius / 2.5)
    lumps = 0.22 * coarse * (part.billows - 1) + 0.05 * part.clumps
    leaves = ramp(1 - out + lumps + 0.03 * part.grain, 0.0, 0.10)
    tone = light * (0.92 + 0.10 * part.billows + 0.05 * part.clumps + 0.07 * part.grain)
    height = radius * (0.9 + 0.95 * dome + 0.28 * coarse * part.billows) + 0.10 * part.clumps
    mixture: Mixture = {pair[0]: share * tone, pair[1]: (1 - share) * tone}
    part.paint(leaves, mixture, height)


def wood(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints the wood in the north-east: crowns of all sizes, small ones first."""
    crowns: list[tuple[float, float, float]] = []
    for _ in range(900):
        x, y, radius = rng.uniform(82, 107), rng.uniform(-4, 33), rng.uniform(1.2, 3.4)
        outside = (86.5 - 0.16 * y + 1.2 * np.sin(y / 3)) - x
        if outside > 0 or y > road_centre(np.array(x)) - 6 - 0.4 * radius:
            continue
        if all(np.hypot(x - a, y - b) > 0.72 * (radius + r) for a, b, r in crowns):
            crowns.append((x, y, radius))
    for x, y, radius in sorted(crowns, key=lambda crown: crown[2]):
        tree(canvas, rng, (x, y), radius)


def orchard(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints small round trees in rows, with a few gaps."""
    for row in range(5):
        for column in range(10):
            x = 73.8 + 3.5 * column + rng.normal(0, 0.15)
            y = 46.4 + 4.4 * row + rng.normal(0, 0.15)
            if y < 63 and rng.uniform() < 0.94:
                tree(canvas, rng, (x, y), rng.uniform(1.15, 1.65))


def single_trees(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints trees along the road and around pond and farm, and a hedge between two fields."""
    for share in np.linspace(0, 1, 17):
        y = 1 + 27 * share
        tree(canvas, rng, (33.0 - 0.2 * y + rng.normal(0, 0.2), y), rng.uniform(0.6, 1.3))
    trees = (
        (4, 47.5, 2.9), (12.5, 44.8, 2.2), (33.5, 47, 3.3), (36.2, 52.5, 2.3), (34.5, 65, 3.6),
        (5, 72, 3.2), (9.5, 74.8, 2.4), (66.8, 47, 2.6), (67.6, 60, 2.2), (38.5, 73.5, 3.0),
        (64.5, 74.5, 2.0), (28, 73.5, 1.6), (2, 60, 1.8), (66, 68.5, 2.8), (97, 41.8, 2.1),
    )  # fmt: skip
    for x, y, radius in trees:
        tree(canvas, rng, (x, y), radius)


def gable_roof(
    canvas: Canvas, rng: np.random.Generator, box: Box, *, cladding: str, eaves: float = 4.0
) -> None:
    """Paints a gable roof of tiles (`clay tiles`, `old tiles`) or of seamed metal (`zinc`)."""
    part = box.window(canvas)
    along, across = box.axes(part)
    slope = 0.35 if cladding == "zinc" else 0.75
    height = eaves + slope * (box.width / 2 - np.abs(across))
    if cladding == "zinc":
        tone = 1 - 0.16 * ramp(np.abs(along % 0.6 - 0.3), 0.10, 0.04) + 0.03 * part.grain
        rust = 0.35 * ramp(part.patches + 0.5 * part.clumps, 0.4, 2.2)
        mixture: Mixture = {"zinc": (1 - rust) * tone, "old tiles": 0.8 * rust * tone}
    else:
        course, column = np.floor(across / 0.36).astype(int), np.floor(along / 0.3).astype(int)
        tiles = rng.normal(1, 0.09, (97, 89)).astype(np.float32)[course % 97, column % 89]
        tone = tiles * (1 - 0.20 * ramp(across % 0.36, 0.12, 0.0)) * (1 + 0.04 * part.patches)
        moss = 0.30 * ramp(part.clumps + 0.5 * part.patches, 0.7, 2.2)
        other = "old tiles" if cladding == "clay tiles" else "clay tiles"
        mixture = {
            cladding: 0.8 * (1 - moss) * tone,
            other: 0.2 * (1 - moss) * tone,
            "lichen": 0.45 * moss * tone,
        }
    part.paint(box.cover(part), mixture, height)
    ridge = box.cover(part) * ramp(np.abs(across), 0.2, 0.1)
    part.paint(ridge, {"concrete": 0.5, "old tiles": 0.3})


def flat_roof(canvas: Canvas, box: Box, *, cladding: str, height: float) -> None:
    """Paints a flat roof with a raised rim."""
    part = box.window(canvas)
    along, across = box.axes(part)
    rim = np.minimum(box.length / 2 - np.abs(along), box.width / 2 - np.abs(across))
    dirt = 0.12 * ramp(part.patches + 0.3 * part.clumps, -0.2, 2.0) + 0.03 * part.grain
    mixture: Mixture = {cladding: 0.86 * (1 - dirt), "gravel": 0.3 * np.clip(dirt, 0, 1)}
    part.paint(box.cover(part), mixture, height + 0.25 * ramp(rim, 0.45, 0.3))


def panels(canvas: Canvas, box: Box, *, height: float) -> None:
    """Paints photovoltaic modules of 1.6 by 1.0 m in thin bright frames, facing south."""
    part = box.window(canvas)
    along, across = box.axes(part)
    frame = np.maximum(
        ramp(np.abs((along + box.length / 2) % 1.6 - 0.8), 0.70, 0.78),
        ramp(np.abs((across + box.width / 2) % 1.0 - 0.5), 0.42, 0.48),
    )
    mixture: Mixture = {"solar panel": 1 - 0.6 * frame, "zinc": 0.5 * frame}
    part.paint(box.cover(part), mixture, height - 0.75 * across)


def block(canvas: Canvas, box: Box, mixture: Mixture, height: float) -> None:
    """Paints a box of one height, such as a chimney or a bale."""
    part = box.window(canvas)
    part.paint(box.cover(part), mixture, height)


def car(canvas: Canvas, box: Box, colour: str) -> None:
    """Paints a car: its body, a cabin with windscreens, and a roof."""
    block(canvas, box, {colour: 0.8}, 0.9)
    cabin = Box(box.x, box.y, 0.62 * box.length, 0.86 * box.width, box.angle)
    block(canvas, cabin, {"fresh asphalt": 0.7, "solar panel": 0.3}, 1.25)
    roof = Box(box.x, box.y, 0.36 * box.length, 0.74 * box.width, box.angle)
    block(canvas, roof, {colour: 0.85}, 1.4)


def round_pool(canvas: Canvas, x: float, y: float, radius: float, mixture: Mixture) -> None:
    """Paints a round pool with a white rim."""
    part = canvas.crop(canvas.window_around(x, y, 1.2 * radius))
    out = np.hypot(part.x - x, part.y - y)
    part.paint(ramp(out, radius + 0.25, radius + 0.15), {"white": 0.7}, 0.9)
    part.paint(ramp(out, radius, radius - 0.1), mixture, 0.8)


def beds(canvas: Canvas) -> None:
    """Paints garden beds: rows of flowers and vegetables on dark soil."""
    plants = ("poppy", "maize", "sunflower", "lavender", "maize, pale", "beetroot")
    for number, plant in enumerate(plants):
        box = Box(46.5, 63.4 + 1.9 * number, 8.5, 1.25)
        part = box.window(canvas)
        bloom = ramp(part.clumps + 0.5 * part.grain, -0.9, 0.1) * band(
            np.abs(part.x - 46.5), -1, 4.1, 0.2
        )
        light = 1 + 0.1 * part.grain
        mixture: Mixture = {
            plant: 0.75 * bloom * light,
            "grass": 0.2 * bloom * light,
            "wet soil": 0.8 * (1 - bloom) * light,
        }
        part.paint(box.cover(part), mixture, 0.35 * bloom)
