"""A canvas of materials and heights, and the sun on it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hsi_xr.demo.materials import WAVELENGTHS, Spectrum, library
from hsi_xr.demo.texture import Image, blur, fractal, ramp, shifted

Mixture = Mapping[str, Image | float]
"""How much of which material, as reflectance weights: shares of 0.5 and 0.4 are a darker mix."""

MATERIALS: Final = tuple(library())

SUN_AZIMUTH: Final = 135.6
SUN_ELEVATION: Final = 46.2
"""Degrees from north over east, and above the horizon: see `scene.INSTANT`."""


@dataclass(frozen=True)
class Canvas:
    """What lies at every pixel; objects are painted over one another."""

    x: Image
    """Metres east of the upper left corner."""
    y: Image
    """Metres south of it."""
    weights: NDArray[np.float32]
    """Share of each of `MATERIALS`, (materials, rows, columns)."""
    height: Image
    """Metres above the ground."""
    patches: Image
    """Chance on the scale of a field: moisture, vigour, age. Mean 0, standard deviation 1."""
    clumps: Image
    """Chance on the scale of plants and clods."""
    boughs: Image
    """Rounded heaps with creases between, 0 in a crease, about 1 on average."""
    grain: Image
    """Chance on the scale of a hand."""

    @property
    def pixel(self) -> float:
        """Ground size of a pixel in metres."""
        return float(self.x[0, 1] - self.x[0, 0])

    @classmethod
    def blank(cls, shape: tuple[int, int], pixel: float, chance: np.random.Generator) -> "Canvas":
        y, x = np.indices(shape, dtype=np.float32)
        return cls(
            x=(x + 0.5) * np.float32(pixel),
            y=(y + 0.5) * np.float32(pixel),
            weights=np.zeros((len(MATERIALS), *shape), dtype=np.float32),
            height=np.zeros(shape, dtype=np.float32),
            patches=fractal(chance, shape, 18 / pixel, slope=1.7),
            clumps=fractal(chance, shape, 0.9 / pixel, slope=1.1),
            boughs=np.clip(np.abs(fractal(chance, shape, 3 / pixel, slope=2.0)) * 1.25, 0, 2),
            grain=fractal(chance, shape, 0.3 / pixel, slope=0.4),
        )

    def near(self, x: float, y: float, reach: float) -> tuple[slice, slice]:
        """Rows and columns within `reach` metres of a place, cut at the edges."""
        rows, columns = self.height.shape
        return self._span(y, reach, rows), self._span(x, reach, columns)

    def _span(self, centre: float, reach: float, length: int) -> slice:
        first, last = int((centre - reach) / self.pixel), int((centre + reach) / self.pixel) + 2
        return slice(max(0, min(first, length)), max(0, min(last, length)))

    def part(self, window: tuple[slice, slice]) -> "Canvas":
        """A window of the canvas; what is painted on it is painted on the whole."""
        views = {field.name: getattr(self, field.name)[..., *window] for field in fields(self)}
        return Canvas(**views)

    def paint(self, cover: Image, mixture: Mixture, height: Image | float | None = None) -> None:
        """Lay a mixture over what is there where `cover` is one, half over it where it is half."""
        np.multiply(self.weights, 1 - cover, out=self.weights)
        for material, share in mixture.items():
            self.weights[MATERIALS.index(material)] += cover * share
        if height is not None:
            self.height[:] = self.height * (1 - cover) + height * cover


def reflectance(canvas: Canvas, *, sharpness: float = 0.55) -> NDArray[np.float32]:
    """Reflectance as seen from above, (31, rows, columns), shading and shadow included.

    It is relative to a level white plate in the open: sunlit slopes are brighter, and shadows keep
    the sky's blue light. `sharpness` is the blur of the optics in pixels; it mixes materials at
    edges.
    """
    sun, sky = illumination(canvas)
    spectra = np.stack(list(library().values()), axis=1).astype(np.float32)
    share = skylight().astype(np.float32)[:, None]
    cube = np.empty((len(WAVELENGTHS), *canvas.height.shape), dtype=np.float32)
    for row in range(0, cube.shape[1], 64):  # in strips, so that no second cube is ever held
        rows = slice(row, row + 64)
        lit = (spectra * (1 - share)) @ _flat(canvas.weights[:, rows] * sun[rows])
        lit += (spectra * share) @ _flat(canvas.weights[:, rows] * sky[rows])
        cube[:, rows] = lit.reshape(cube[:, rows].shape)
    for band in cube:
        band[:] = blur(band, sharpness)
    return np.clip(cube, 0, 1, out=cube)


def illumination(canvas: Canvas) -> tuple[Image, Image]:
    """Sunlight and skylight at every pixel, each one on a level plate in the open."""
    azimuth, elevation = np.radians([SUN_AZIMUTH, SUN_ELEVATION])
    east, south = float(np.sin(azimuth)), float(-np.cos(azimuth))
    down, right = np.gradient(canvas.height, canvas.pixel)
    down, right = np.clip(down, -1.3, 1.3), np.clip(right, -1.3, 1.3)
    facing = np.sin(elevation) - np.cos(elevation) * (east * right + south * down)
    facing /= np.sqrt(1 + right**2 + down**2) * np.sin(elevation)
    sun = np.clip(facing, 0.03, 1.6) * (1 - 0.97 * _shadow(canvas, east, south))
    hollow = np.clip(blur(canvas.height, 0.7 / canvas.pixel) - canvas.height, 0, None)
    sky = np.clip(np.exp(-0.9 * hollow), 0.25, 1)
    return sun.astype(np.float32), sky.astype(np.float32)


def _shadow(canvas: Canvas, east: float, south: float) -> Image:
    """1 where something taller stands between a pixel and the sun."""
    drop = float(np.tan(np.radians(SUN_ELEVATION))) * canvas.pixel
    horizon = np.zeros_like(canvas.height)
    for step in range(1, int(float(canvas.height.max()) / drop) + 2):
        moved = shifted(canvas.height, -round(step * south), -round(step * east))
        np.maximum(horizon, moved - step * drop, out=horizon)
    return blur(ramp(horizon - canvas.height, 0.02, 0.02 + 2.5 * drop), 0.6)


def skylight() -> Spectrum:
    """Share of the sky in all light on a level plate: much in the violet, little in the red."""
    return 0.07 + 0.26 * (WAVELENGTHS / 400) ** -3.2


def _flat(image: Image) -> Image:
    return image.reshape(len(image), -1)
