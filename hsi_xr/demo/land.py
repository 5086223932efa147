"""Paints the ground of the demo scene: meadow, fields, road, yard and pond.

All positions and sizes are in metres from the upper left corner of the scene.
"""

import numpy as np

from hsi_xr.demo.canvas import Canvas
from hsi_xr.demo.texture import Image, ramp

SLANT = 0.20
"""Slant of the fields north of the road: their long edges are lines of constant x + SLANT * y."""


def band(values: Image, low: float, high: float, soft: float) -> Image:
    """Returns 1 between two levels and 0 outside, with smooth edges of width `soft`."""
    return ramp(values, low, low + soft) * ramp(values, high, high - soft)


def road_centre(x: Image) -> Image:
    """Returns the y coordinate of the centre line of the road at each x."""
    centre: Image = 36.5 + 3.2 * np.sin(x / 24 + 0.4)
    return centre


def meadow(canvas: Canvas) -> None:
    """Paints rough grass with dry patches."""
    dry = 0.05 + 0.6 * ramp(canvas.patches + 0.45 * canvas.clumps, 0.1, 1.9)
    light = 1 + 0.10 * canvas.clumps + 0.08 * canvas.grain
    green = {"grass": (1 - dry) * light * 0.75, "lawn": (1 - dry) * light * 0.25}
    canvas.paint(
        np.ones_like(light), green | {"dry grass": 0.62 * dry * light}, 0.06 * canvas.clumps
    )


def fields(canvas: Canvas) -> None:
    """Paints, from west to east, maize, ploughed soil, ripe wheat, and stubble with straw."""
    lean = canvas.x + SLANT * canvas.y + 0.10 * canvas.clumps
    north = ramp(road_centre(canvas.x) - canvas.y - 5.2 + 0.2 * canvas.clumps, 0, 0.5)
    _maize(canvas, band(lean, -9, 32, 0.5) * north, lean)
    _ploughed(canvas, band(lean, 34.2, 56, 0.4) * north, lean)
    _wheat(canvas, band(lean, 57, 71, 0.3) * north, lean)
    _stubble(canvas, band(lean, 71.3, 84, 0.4) * north, lean)


def _maize(canvas: Canvas, cover: Image, lean: Image) -> None:
    vigour = ramp(canvas.patches, -1.6, 1.2)
    row = np.cos(2 * np.pi * lean / 0.8)
    leaves = ramp(row + 0.55 * canvas.clumps + 1.5 * vigour, 0.0, 0.9)
    light = 1 + 0.12 * canvas.clumps + 0.08 * canvas.grain
    soil = (1 - leaves) * light
    mixture = {
        "maize": leaves * (0.25 + 0.75 * vigour) * light,
        "maize, pale": leaves * (0.75 - 0.75 * vigour) * 0.9 * light,
        "brown soil": 0.6 * soil,
        "loess": 0.25 * soil,
    }
    height = 1.1 * leaves * (0.75 + 0.25 * row) + 0.22 * canvas.clumps * leaves
    canvas.paint(cover, mixture, height)


def _ploughed(canvas: Canvas, cover: Image, lean: Image) -> None:
    wet = ramp(canvas.patches + 0.15 * canvas.clumps, 0.15, 1.5)
    pale = (1 - wet) * ramp(-canvas.patches + 0.1 * canvas.grain, 0.0, 1.9)
    light = 1 + 0.07 * canvas.clumps + 0.06 * canvas.grain
    mixture = {
        "wet soil": 0.85 * wet * light,
        "loess": 0.50 * pale * light,
        "brown soil": 0.80 * (1 - wet - 0.6 * pale) * light,
    }
    furrows = 0.045 * np.cos(2 * np.pi * lean / 0.7) + 0.035 * canvas.clumps + 0.012 * canvas.grain
    canvas.paint(cover, mixture, furrows)


def _wheat(canvas: Canvas, cover: Image, lean: Image) -> None:
    light = 1 + 0.06 * canvas.patches + 0.06 * canvas.clumps + 0.05 * canvas.grain
    light += 0.04 * np.cos(2 * np.pi * lean / 0.45)
    green = 0.35 * ramp(canvas.patches, 0.6, 2.4)
    wheel = np.abs(np.abs(lean - 64) - 0.9)
    track = 0.85 * ramp(wheel, 0.32, 0.18)
    crop = (1 - track) * light
    mixture = {
        "ripe wheat": 0.85 * (1 - green) * crop,
        "maize, pale": green * crop,
        "brown soil": 0.8 * track,
    }
    canvas.paint(cover, mixture, (1 - track) * (0.6 + 0.06 * canvas.clumps))


def _stubble(canvas: Canvas, cover: Image, lean: Image) -> None:
    row = 0.5 + 0.5 * np.cos(2 * np.pi * lean / 0.3)
    heap = ramp(np.abs((lean - 73.2) % 3.6 - 1.8) + 0.12 * canvas.clumps, 0.75, 0.35)
    light = 1 + 0.08 * canvas.clumps + 0.08 * canvas.grain
    weeds = 0.25 * ramp(canvas.patches + 0.4 * canvas.clumps, 0.6, 2.0) * (1 - heap)
    mixture = {
        "dry grass": ((0.62 + 0.12 * row - weeds) * (1 - heap) + 0.9 * heap) * light,
        "loess": 0.25 * (1 - row) * (1 - heap) * light,
        "ripe wheat": 0.1 * heap * light,
        "grass": weeds * light,
    }
    canvas.paint(cover, mixture, 0.25 * heap + 0.04 * canvas.clumps)


def flower_strips(canvas: Canvas) -> None:
    """Paints rows of lavender on sandy soil and a stand of sunflowers in the south-east."""
    east = ramp(canvas.x + 0.2 * canvas.clumps, 71.5, 72)
    row = np.cos(2 * np.pi * (canvas.y - 65.4) / 1.35)
    bush = ramp(row + 0.35 * canvas.clumps, 0.05, 0.5)
    light = 1 + 0.10 * canvas.clumps + 0.08 * canvas.grain
    mixture = {
        "lavender": 0.48 * bush * light,
        "reed": 0.32 * bush * light,
        "sand": 0.40 * (1 - bush) * light,
        "brown soil": 0.45 * (1 - bush) * light,
    }
    lavender = east * band(canvas.y, 64.3, 70.2, 0.2)
    canvas.paint(lavender, mixture, 0.45 * bush + 0.08 * canvas.clumps)
    row = np.cos(2 * np.pi * (canvas.y - 71.2) / 0.75)
    head = 0.75 * ramp(0.5 * row + 0.6 * canvas.grain + 0.5 * canvas.clumps, 0.25, 0.9)
    mixture = {"sunflower": 0.72 * head * light, "maize": (1 - head) * 0.9 * light}
    sunflowers = east * ramp(canvas.y + 0.1 * canvas.clumps, 71.0, 71.4)
    canvas.paint(sunflowers, mixture, 1.0 + 0.25 * row + 0.15 * canvas.clumps)


def orchard_floor(canvas: Canvas) -> None:
    """Paints mown grass with mower stripes, and bare strips under the rows of trees."""
    cover = ramp(canvas.x + 0.2 * canvas.clumps, 71.2, 71.8) * band(canvas.y, 44.2, 63.0, 0.6)
    stripe = 0.92 + 0.16 * ramp(np.sin(2 * np.pi * canvas.y / 4.4), -0.4, 0.4)
    bare = 0.7 * ramp(np.abs((canvas.y - 46.4) % 4.4 - 2.2) + 0.25 * canvas.clumps, 1.7, 2.1)
    light = stripe * (1 + 0.07 * canvas.clumps + 0.05 * canvas.grain)
    mixture = {
        "lawn": 0.7 * (1 - bare) * light,
        "grass": 0.3 * (1 - bare) * light,
        "brown soil": 0.55 * bare * light,
        "dry grass": 0.35 * bare * light,
    }
    canvas.paint(cover, mixture, 0.03 * canvas.clumps)


def road(canvas: Canvas) -> None:
    """Paints worn asphalt with gravel shoulders, markings, a patched section and wheel tracks."""
    across = (canvas.y - road_centre(canvas.x)) * 0.993
    light = 1 + 0.05 * canvas.patches + 0.04 * canvas.grain
    edge = np.abs(across) + 0.10 * canvas.clumps
    canvas.paint(
        ramp(edge, 3.5, 3.1), {"gravel": 0.8 * light, "dry grass": 0.1}, 0.02 * canvas.clumps
    )
    wheels = 1 + 0.10 * np.cos(2 * np.pi * (np.abs(across) - 1.35) / 1.5)
    canvas.paint(ramp(edge, 2.75, 2.6), {"asphalt": wheels * light}, 0.0)
    patched = band(canvas.x, 21, 27.5, 0.1) * band(across, 0.25, 2.5, 0.1)
    canvas.paint(patched, {"fresh asphalt": light}, 0.0)
    seam = ramp(np.abs(across - 0.55 + 0.35 * canvas.patches), 0.07, 0.02)
    canvas.paint(0.5 * seam, {"fresh asphalt": 0.9})
    worn = np.clip(0.85 + 0.10 * canvas.clumps, 0.3, 1)
    dashes = ramp(np.abs(across), 0.14, 0.08) * band(canvas.x % 6, 0.2, 3.2, 0.1)
    sides = ramp(np.abs(np.abs(across) - 2.4), 0.12, 0.06)
    canvas.paint(worn * np.maximum(dashes, 0.8 * sides), {"white": 0.75, "asphalt": 0.15})


def yard(canvas: Canvas) -> None:
    """Paints the concrete slabs of the farm and the gravel drive to the road."""
    drive = ramp(np.abs(canvas.x - 49.5 - 0.1 * (canvas.y - 40)) + 0.15 * canvas.clumps, 2.1, 1.7)
    drive = drive * ramp(canvas.y - road_centre(canvas.x), 2.6, 2.8) * ramp(canvas.y, 50, 49)
    light = 1 + 0.05 * canvas.patches + 0.05 * canvas.grain + 0.04 * canvas.clumps
    wheel = 0.9 + 0.12 * ramp(
        np.abs(np.abs(canvas.x - 49.5 - 0.1 * (canvas.y - 40)) - 0.9), 0.5, 0.2
    )
    canvas.paint(drive, {"gravel": 0.85 * light * wheel}, 0.02 * canvas.clumps)
    slabs = band(canvas.x, 42.5, 61, 0.1) * band(canvas.y, 47.5, 58, 0.1)
    joint = np.minimum((canvas.x - 42.5) % 3, (canvas.y - 47.5) % 3)
    stain = 0.16 * ramp(canvas.patches + 0.3 * canvas.clumps, 0.2, 1.6)
    tone = (1 - stain - 0.35 * ramp(joint, 0.12, 0.02)) * light
    canvas.paint(slabs, {"concrete": 0.78 * tone, "gravel": 0.1 * tone}, 0.0)


def pond(canvas: Canvas) -> None:
    """Paints a pond, clear in the middle and turbid at its muddy bank, with reeds and a jetty."""
    east, south = canvas.x - 18.5, (canvas.y - 60.0) * 1.25
    angle = np.arctan2(south, east)
    radius = 11.5 + 1.3 * np.cos(2 * angle + 0.7) + 0.9 * np.cos(3 * angle - 1.1)
    inland = np.hypot(east, south) - radius + 0.12 * canvas.clumps
    light = 1 + 0.08 * canvas.clumps + 0.06 * canvas.grain
    bank = {"wet soil": 0.5 * light, "sand": 0.22 * light, "grass": 0.2 * light}
    canvas.paint(ramp(inland, 1.3, 0.3), bank, -0.2)
    shallow = ramp(inland + 1.2 * canvas.patches, -9.0, -0.5)
    water = {"clear water": 1 - shallow, "turbid water": shallow * (1 + 0.05 * canvas.patches)}
    canvas.paint(ramp(inland, 0.15, -0.1), water, -0.3)
    reeds = ramp(np.cos(angle - 2.6) + 0.2 * canvas.patches, 0.25, 0.6) * band(
        inland, -1.6, 1.0, 0.5
    )
    stalks = reeds * ramp(canvas.clumps + 0.4 * canvas.grain, -0.9, 0.2)
    canvas.paint(stalks, {"reed": 0.95 * light, "dry grass": 0.08}, 0.8 + 0.4 * canvas.clumps)
    jetty = band(canvas.x, 24.5, 30.2, 0.1) * band(canvas.y, 56.6, 57.9, 0.1)
    planks = 0.75 + 0.25 * ramp(np.abs(canvas.x % 0.3 - 0.15), 0.02, 0.1)
    canvas.paint(jetty, {"gravel": 0.45 * planks * light, "dry grass": 0.3 * planks * light}, 0.35)
