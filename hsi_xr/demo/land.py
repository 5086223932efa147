"""The ground of the demo scene: meadow, fields, road, yard and pond, in metres from its corner."""

import numpy as np

from hsi_xr.demo.canvas import Canvas
from hsi_xr.demo.texture import Image, ramp

SLANT = 0.20
"""Fields north of the road lean: their long edges are lines of constant x + SLANT * y."""


def band(values: Image, low: float, high: float, soft: float) -> Image:
    """1 between two levels, 0 beyond them, over `soft` at either edge."""
    return ramp(values, low, low + soft) * ramp(values, high, high - soft)


def road_centre(x: Image) -> Image:
    """South coordinate of the road's centre line at each x."""
    centre: Image = 36.5 + 3.2 * np.sin(x / 24 + 0.4)
    return centre


def meadow(land: Canvas) -> None:
    """Rough grass, dry on the knolls."""
    dry = 0.05 + 0.6 * ramp(land.patches + 0.45 * land.clumps, 0.1, 1.9)
    light = 1 + 0.10 * land.clumps + 0.08 * land.grain
    green = {"grass": (1 - dry) * light * 0.75, "lawn": (1 - dry) * light * 0.25}
    land.paint(np.ones_like(light), green | {"dry grass": 0.62 * dry * light}, 0.06 * land.clumps)


def fields(land: Canvas) -> None:
    """From west to east: maize, ploughed soil, ripe wheat, stubble with windrows of straw."""
    lean = land.x + SLANT * land.y + 0.10 * land.clumps
    north = ramp(road_centre(land.x) - land.y - 5.2 + 0.2 * land.clumps, 0, 0.5)
    _maize(land, band(lean, -9, 32, 0.5) * north, lean)
    _ploughed(land, band(lean, 34.2, 56, 0.4) * north, lean)
    _wheat(land, band(lean, 57, 71, 0.3) * north, lean)
    _stubble(land, band(lean, 71.3, 84, 0.4) * north, lean)


def _maize(land: Canvas, cover: Image, lean: Image) -> None:
    vigour = ramp(land.patches, -1.6, 1.2)
    row = np.cos(2 * np.pi * lean / 0.8)
    leaves = ramp(row + 0.55 * land.clumps + 1.5 * vigour, 0.0, 0.9)
    light = 1 + 0.12 * land.clumps + 0.08 * land.grain
    soil = (1 - leaves) * light
    mixture = {
        "maize": leaves * (0.25 + 0.75 * vigour) * light,
        "maize, pale": leaves * (0.75 - 0.75 * vigour) * 0.9 * light,
        "brown soil": 0.6 * soil,
        "loess": 0.25 * soil,
    }
    tall = 1.1 * leaves * (0.75 + 0.25 * row) + 0.22 * land.clumps * leaves
    land.paint(cover, mixture, tall)


def _ploughed(land: Canvas, cover: Image, lean: Image) -> None:
    wet = ramp(land.patches + 0.15 * land.clumps, 0.15, 1.5)
    pale = (1 - wet) * ramp(-land.patches + 0.1 * land.grain, 0.0, 1.9)
    light = 1 + 0.07 * land.clumps + 0.06 * land.grain
    mixture = {
        "wet soil": 0.85 * wet * light,
        "loess": 0.50 * pale * light,
        "brown soil": 0.80 * (1 - wet - 0.6 * pale) * light,
    }
    furrows = 0.045 * np.cos(2 * np.pi * lean / 0.7) + 0.035 * land.clumps + 0.012 * land.grain
    land.paint(cover, mixture, furrows)


def _wheat(land: Canvas, cover: Image, lean: Image) -> None:
    light = 1 + 0.06 * land.patches + 0.06 * land.clumps + 0.05 * land.grain
    light += 0.04 * np.cos(2 * np.pi * lean / 0.45)
    green = 0.35 * ramp(land.patches, 0.6, 2.4)
    wheel = np.abs(np.abs(lean - 64) - 0.9)
    track = 0.85 * ramp(wheel, 0.32, 0.18)
    crop = (1 - track) * light
    mixture = {
        "ripe wheat": 0.85 * (1 - green) * crop,
        "maize, pale": green * crop,
        "brown soil": 0.8 * track,
    }
    land.paint(cover, mixture, (1 - track) * (0.6 + 0.06 * land.clumps))


def _stubble(land: Canvas, cover: Image, lean: Image) -> None:
    row = 0.5 + 0.5 * np.cos(2 * np.pi * lean / 0.3)
    heap = ramp(np.abs((lean - 73.2) % 3.6 - 1.8) + 0.12 * land.clumps, 0.75, 0.35)
    light = 1 + 0.08 * land.clumps + 0.08 * land.grain
    weeds = 0.25 * ramp(land.patches + 0.4 * land.clumps, 0.6, 2.0) * (1 - heap)
    mixture = {
        "dry grass": ((0.62 + 0.12 * row - weeds) * (1 - heap) + 0.9 * heap) * light,
        "loess": 0.25 * (1 - row) * (1 - heap) * light,
        "ripe wheat": 0.1 * heap * light,
        "grass": weeds * light,
    }
    land.paint(cover, mixture, 0.25 * heap + 0.04 * land.clumps)


def flower_strips(land: Canvas) -> None:
    """South-east: rows of lavender bushes on sandy soil, then a stand of sunflowers."""
    east = ramp(land.x + 0.2 * land.clumps, 71.5, 72)
    row = np.cos(2 * np.pi * (land.y - 65.4) / 1.35)
    bush = ramp(row + 0.35 * land.clumps, 0.05, 0.5)
    light = 1 + 0.10 * land.clumps + 0.08 * land.grain
    mixture = {
        "lavender": 0.48 * bush * light,
        "reed": 0.32 * bush * light,
        "sand": 0.40 * (1 - bush) * light,
        "brown soil": 0.45 * (1 - bush) * light,
    }
    lavender = east * band(land.y, 64.3, 70.2, 0.2)
    land.paint(lavender, mixture, 0.45 * bush + 0.08 * land.clumps)
    row = np.cos(2 * np.pi * (land.y - 71.2) / 0.75)
    head = 0.75 * ramp(0.5 * row + 0.6 * land.grain + 0.5 * land.clumps, 0.25, 0.9)
    mixture = {"sunflower": 0.72 * head * light, "maize": (1 - head) * 0.9 * light}
    sunflowers = east * ramp(land.y + 0.1 * land.clumps, 71.0, 71.4)
    land.paint(sunflowers, mixture, 1.0 + 0.25 * row + 0.15 * land.clumps)


def orchard_floor(land: Canvas) -> None:
    """Mown grass, striped by the mower, with bare strips under the rows of trees."""
    cover = ramp(land.x + 0.2 * land.clumps, 71.2, 71.8) * band(land.y, 44.2, 63.0, 0.6)
    stripe = 0.92 + 0.16 * ramp(np.sin(2 * np.pi * land.y / 4.4), -0.4, 0.4)
    bare = 0.7 * ramp(np.abs((land.y - 46.4) % 4.4 - 2.2) + 0.25 * land.clumps, 1.7, 2.1)
    light = stripe * (1 + 0.07 * land.clumps + 0.05 * land.grain)
    mixture = {
        "lawn": 0.7 * (1 - bare) * light,
        "grass": 0.3 * (1 - bare) * light,
        "brown soil": 0.55 * bare * light,
        "dry grass": 0.35 * bare * light,
    }
    land.paint(cover, mixture, 0.03 * land.clumps)


def road(land: Canvas) -> None:
    """Worn asphalt between gravel shoulders, with markings, a mended place and wheel tracks."""
    across = (land.y - road_centre(land.x)) * 0.993
    light = 1 + 0.05 * land.patches + 0.04 * land.grain
    edge = np.abs(across) + 0.10 * land.clumps
    land.paint(ramp(edge, 3.5, 3.1), {"gravel": 0.8 * light, "dry grass": 0.1}, 0.02 * land.clumps)
    wheels = 1 + 0.10 * np.cos(2 * np.pi * (np.abs(across) - 1.35) / 1.5)
    land.paint(ramp(edge, 2.75, 2.6), {"asphalt": wheels * light}, 0.0)
    mended = band(land.x, 21, 27.5, 0.1) * band(across, 0.25, 2.5, 0.1)
    land.paint(mended, {"fresh asphalt": light}, 0.0)
    seam = ramp(np.abs(across - 0.55 + 0.35 * land.patches), 0.07, 0.02)
    land.paint(0.5 * seam, {"fresh asphalt": 0.9})
    worn = np.clip(0.85 + 0.10 * land.clumps, 0.3, 1)
    dashes = ramp(np.abs(across), 0.14, 0.08) * band(land.x % 6, 0.2, 3.2, 0.1)
    sides = ramp(np.abs(np.abs(across) - 2.4), 0.12, 0.06)
    land.paint(worn * np.maximum(dashes, 0.8 * sides), {"white": 0.75, "asphalt": 0.15})


def yard(land: Canvas) -> None:
    """Concrete slabs of the farm and the gravel drive that joins them to the road."""
    drive = ramp(np.abs(land.x - 49.5 - 0.1 * (land.y - 40)) + 0.15 * land.clumps, 2.1, 1.7)
    drive = drive * ramp(land.y - road_centre(land.x), 2.6, 2.8) * ramp(land.y, 50, 49)
    light = 1 + 0.05 * land.patches + 0.05 * land.grain + 0.04 * land.clumps
    wheel = 0.9 + 0.12 * ramp(np.abs(np.abs(land.x - 49.5 - 0.1 * (land.y - 40)) - 0.9), 0.5, 0.2)
    land.paint(drive, {"gravel": 0.85 * light * wheel}, 0.02 * land.clumps)
    slabs = band(land.x, 42.5, 61, 0.1) * band(land.y, 47.5, 58, 0.1)
    joint = np.minimum((land.x - 42.5) % 3, (land.y - 47.5) % 3)
    stain = 0.16 * ramp(land.patches + 0.3 * land.clumps, 0.2, 1.6)
    tone = (1 - stain - 0.35 * ramp(joint, 0.12, 0.02)) * light
    land.paint(slabs, {"concrete": 0.78 * tone, "gravel": 0.1 * tone}, 0.0)


def pond(land: Canvas) -> None:
    """Clear in the middle, turbid along a muddy bank with reeds on one side, and a jetty."""
    east, south = land.x - 18.5, (land.y - 60.0) * 1.25
    angle = np.arctan2(south, east)
    radius = 11.5 + 1.3 * np.cos(2 * angle + 0.7) + 0.9 * np.cos(3 * angle - 1.1)
    inland = np.hypot(east, south) - radius + 0.12 * land.clumps
    light = 1 + 0.08 * land.clumps + 0.06 * land.grain
    bank = {"wet soil": 0.5 * light, "sand": 0.22 * light, "grass": 0.2 * light}
    land.paint(ramp(inland, 1.3, 0.3), bank, -0.2)
    shallow = ramp(inland + 1.2 * land.patches, -9.0, -0.5)
    water = {"clear water": 1 - shallow, "turbid water": shallow * (1 + 0.05 * land.patches)}
    land.paint(ramp(inland, 0.15, -0.1), water, -0.3)
    reeds = ramp(np.cos(angle - 2.6) + 0.2 * land.patches, 0.25, 0.6) * band(inland, -1.6, 1.0, 0.5)
    stalks = reeds * ramp(land.clumps + 0.4 * land.grain, -0.9, 0.2)
    land.paint(stalks, {"reed": 0.95 * light, "dry grass": 0.08}, 0.8 + 0.4 * land.clumps)
    jetty = band(land.x, 24.5, 30.2, 0.1) * band(land.y, 56.6, 57.9, 0.1)
    planks = 0.75 + 0.25 * ramp(np.abs(land.x % 0.3 - 0.15), 0.02, 0.1)
    land.paint(jetty, {"gravel": 0.45 * planks * light, "dry grass": 0.3 * planks * light}, 0.35)
