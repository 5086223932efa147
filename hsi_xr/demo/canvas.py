"""The canvas on which a scene is painted as materials and heights, and its illumination."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hsi_xr.demo.materials import WAVELENGTHS, Spectrum, library
from hsi_xr.demo.texture import Image, blur, fractal_noise, ramp, shift

Mixture = Mapping[str, Image | float]
"""Weight of each material in the reflectance of a pixel; a sum below 1 makes it darker."""

MATERIALS: Final = tuple(library())

SUN_AZIMUTH: Final = 135.6
SUN_ELEVATION: Final = 46.2
"""Degrees clockwise from north, and degrees above the horizon, at `render.INSTANT`."""


@dataclass(frozen=True)
class Canvas:
    """Materials and heights of every pixel; later objects cover earlier ones.

    All images are (rows, columns).
    """

    x: Image
    """Metres east of the upper left corner."""
    y: Image
    """Metres south of that corner."""
    weights: NDArray[np.float32]
    """Weight of each of `MATERIALS`, (materials, rows, columns)."""
    height: Image
    """Metres above the ground."""
    patches: Image
    """Noise at the scale of a field (18 m), for moisture or vigour; mean 0, deviation 1."""
    clumps: Image
    """Noise at the scale of plants and clods (0.9 m)."""
    billows: Image
    """Billow noise (3 m): rounded lumps with creases, 0 in a crease, about 1 on average."""
    grain: Image
    """Noise at the scale of leaves and stones (0.3 m)."""

    @property
    def pixel(self) -> float:
        """Ground size of a pixel in metres."""
        return float(self.x[0, 1] - self.x[0, 0])

    @classmethod
    def blank(cls, shape: tuple[int, int], pixel: float, rng: np.random.Generator) -> "Canvas":
        """Returns an empty canvas of (rows, columns) pixels, each `pixel` metres wide."""
        y, x = np.indices(shape, dtype=np.float32)
        return cls(
            x=(x + 0.5) * np.float32(pixel),
            y=(y + 0.5) * np.float32(pixel),
            weights=np.zeros((len(MATERIALS), *shape), dtype=np.float32),
            height=np.zeros(shape, dtype=np.float32),
            patches=fractal_noise(rng, shape, 18 / pixel, slope=1.7),
            clumps=fractal_noise(rng, shape, 0.9 / pixel, slope=1.1),
            billows=np.clip(np.abs(fractal_noise(rng, shape, 3 / pixel, slope=2.0)) * 1.25, 0, 2),
            grain=fractal_noise(rng, shape, 0.3 / pixel, slope=0.4),
        )

    def window_around(self, x: float, y: float, reach: float) -> tuple[slice, slice]:
        """Returns the rows and columns within `reach` metres of a point, clipped to the canvas."""
        rows, columns = self.height.shape
        return self._span(y, reach, rows), self._span(x, reach, columns)

    def _span(self, centre: float, reach: float, length: int) -> slice:
        first, last = int((centre - reach) / self.pixel), int((centre + reach) / self.pixel) + 2
        return slice(max(0, min(first, length)), max(0, min(last, length)))

    def crop(self, window: tuple[slice, slice]) -> "Canvas":
        """Returns a view of a window; painting on it paints on this canvas."""
        views = {field.name: getattr(self, field.name)[..., *window] for field in fields(self)}
        return Canvas(**views)

    def paint(self, cover: Image, mixture: Mixture, height: Image | float | None = None) -> None:
        """Paints a mixture over the canvas.

        Args:
            cover: Opacity in [0, 1].
            mixture: Weights of materials.
            height: Metres above the ground; by default heights do not change.
        """
        np.multiply(self.weights, 1 - cover, out=self.weights)
        for material, share in mixture.items():
            self.weights[MATERIALS.index(material)] += cover * share
        if height is not None:
            self.height[:] = self.height * (1 - cover) + height * cover


def reflectance(
    canvas: Canvas, *, blur_sigma: float = 0.55, replaced: Mapping[str, str] | None = None
) -> NDArray[np.float32]:
    """Returns reflectance as observed from above, including shading and shadows.

    It is relative to a level white panel in full sun: slopes that face the sun are brighter, and
    shadows are lit by the blue sky only.

    Args:
        canvas: Materials and heights.
        blur_sigma: Blur of the optics in pixels, which mixes materials at edges.
        replaced: Material -> the material that is in its place.

    Returns:
        (31, rows, columns) in [0, 1].
    """
    sun, sky = illumination(canvas)
    known = library()
    chosen = [known[(replaced or {}).get(name, name)] for name in MATERIALS]
    spectra = np.stack(chosen, axis=1).astype(np.float32)
    share = skylight().astype(np.float32)[:, None]
    cube = np.empty((len(WAVELENGTHS), *canvas.height.shape), dtype=np.float32)
    for row in range(0, cube.shape[1], 64):  # in strips, to avoid a second cube in memory
        rows = slice(row, row + 64)
        lit = (spectra * (1 - share)) @ _flatten_pixels(canvas.weights[:, rows] * sun[rows])
        lit += (spectra * share) @ _flatten_pixels(canvas.weights[:, rows] * sky[rows])
        cube[:, rows] = lit.reshape(cube[:, rows].shape)
    for band in cube:
        band[:] = blur(band, blur_sigma)
    return np.clip(cube, 0, 1, out=cube)


def illumination(canvas: Canvas) -> tuple[Image, Image]:
    """Returns sunlight and skylight at every pixel, relative to a level panel in the open."""
    azimuth, elevation = np.radians([SUN_AZIMUTH, SUN_ELEVATION])
    east, south = float(np.sin(azimuth)), float(-np.cos(azimuth))
    down, right = np.gradient(canvas.height, canvas.pixel)
    down, right = np.clip(down, -1.3, 1.3), np.clip(right, -1.3, 1.3)
    facing = np.sin(elevation) - np.cos(elevation) * (east * right + south * down)
    facing /= np.sqrt(1 + right**2 + down**2) * np.sin(elevation)
    sun = np.clip(facing, 0.03, 1.6) * (1 - 0.97 * _shadow(canvas, east, south))
    depth = np.clip(blur(canvas.height, 0.7 / canvas.pixel) - canvas.height, 0, None)
    sky = np.clip(np.exp(-0.9 * depth), 0.25, 1)
    return sun.astype(np.float32), sky.astype(np.float32)


def _shadow(canvas: Canvas, east: float, south: float) -> Image:
    """Returns 1 where something taller is between a pixel and the sun, else 0; soft at the edge."""
    drop = float(np.tan(np.radians(SUN_ELEVATION))) * canvas.pixel
    horizon = np.zeros_like(canvas.height)
    for step in range(1, int(float(canvas.height.max()) / drop) + 2):
        shifted = shift(canvas.height, -round(step * south), -round(step * east))
        np.maximum(horizon, shifted - step * drop, out=horizon)
    return blur(ramp(horizon - canvas.height, 0.02, 0.02 + 2.5 * drop), 0.6)


def skylight() -> Spectrum:
    """Returns the share of skylight in the light on a level panel; it falls from violet to red."""
    return 0.07 + 0.26 * (WAVELENGTHS / 400) ** -3.2


def _flatten_pixels(image: Image) -> Image:
    return image.reshape(len(image), -1)
