"""Noise, ramps and filters from which a scene is painted."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating]
"""One value per pixel, (rows, columns)."""


def fractal_noise(
    rng: np.random.Generator, shape: tuple[int, int], largest: float, *, slope: float = 1.0
) -> Image:
    """Returns fractal noise with mean 0 and standard deviation 1.

    Args:
        rng: Source of random values.
        shape: (rows, columns).
        largest: Size of the largest features in pixels.
        slope: Exponent with which the amplitude falls towards fine detail: 0 is white noise, 2
            looks like clouds.
    """
    white = rng.standard_normal(shape, dtype=np.float32)
    rows = np.fft.fftfreq(shape[0])[:, None]
    columns = np.fft.rfftfreq(shape[1])[None, :]
    frequency = np.hypot(rows, columns)
    gain = (frequency**2 + largest**-2.0) ** (-slope / 2)
    gain *= 1 - np.exp(-((frequency * largest) ** 2))
    noise = np.fft.irfft2(np.fft.rfft2(white) * gain, s=shape)
    standard: Image = ((noise - noise.mean()) / noise.std()).astype(np.float32)
    return standard


def ramp(values: Image, start: float, stop: float) -> Image:
    """Returns a smooth step from 0 at `start` to 1 at `stop`; it falls if `stop` is smaller."""
    share: Image = np.clip((values - start) / (stop - start), 0, 1)
    return share * share * (3 - 2 * share)


def blur(image: Image, sigma: float) -> Image:
    """Blurs an image with a Gaussian of `sigma` pixels; edges are repeated."""
    if sigma <= 0:
        return image
    radius = max(1, round(3 * sigma))
    steps = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (steps / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (-2, -1):
        image = _convolve(image, kernel, axis)
    return image


def _convolve(image: Image, kernel: Image, axis: int) -> Image:
    """Convolves an image along one axis; edges are repeated."""
    radius, length = len(kernel) // 2, image.shape[axis]
    margins = [(0, 0)] * image.ndim
    margins[axis] = (radius, radius)
    padded = np.moveaxis(np.pad(image, margins, mode="edge"), axis, 0)
    total = kernel[0] * padded[:length]
    for step in range(1, len(kernel)):
        total = total + kernel[step] * padded[step : step + length]
    return np.moveaxis(total, 0, axis)


def shift(image: Image, down: int, right: int) -> Image:
    """Shifts an image by whole pixels; edges are repeated."""
    rows, columns = image.shape
    from_row = np.clip(np.arange(rows) - down, 0, rows - 1)
    from_column = np.clip(np.arange(columns) - right, 0, columns - 1)
    return image[from_row][:, from_column]
