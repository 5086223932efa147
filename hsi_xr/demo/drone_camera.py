"""How a drone camera would deliver a scene of known spectra: response, daylight, sRGB, noise.

The response is parametric and ours (skewed Gaussians of a colour-filter array behind an infrared
cut), not the measured one of any product. All spectra are on the 31 bands of `demo.spectra`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hsi_xr.demo.materials import WAVELENGTHS, Spectrum, library
from hsi_xr.demo.texture import Image

RED_GREEN_BLUE: Final = ((598.0, 24.0, 42.0), (536.0, 38.0, 36.0), (462.0, 30.0, 32.0))
"""Peak of each filter in nm, and its widths to the violet and to the red side."""

LEAK: Final = ((470.0, 0.05), (610.0, 0.07), (535.0, 0.06))
"""Where each filter lets a little of another colour through, and how much."""

XYZ_TO_SRGB: Final = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
"""CIE XYZ to linear sRGB, IEC 61966-2-1."""


def response() -> NDArray[np.float64]:
    """Weights (3, 31) that turn reflectance into white-balanced raw RGB; each row sums to one.

    Camera and daylight are in them: a white reflector gives (1, 1, 1).
    """
    filters = np.stack([skewed(*lobe) for lobe in RED_GREEN_BLUE])
    filters += np.stack([share * skewed(centre, 30, 30) for centre, share in LEAK])
    infrared_cut = 1 / (1 + np.exp((WAVELENGTHS - 672) / 9))
    return _white_is_one(filters * infrared_cut * daylight())


def colour_matrix() -> NDArray[np.float64]:
    """Matrix (3, 3) from white-balanced raw to linear sRGB; every row sums to one, so white stays.

    Least squares over the materials of the demo, as a camera maker fits it over a colour chart.
    """
    spectra = np.stack(list(library().values()))
    raw, wanted = spectra @ response().T, spectra @ observer().T
    # Rows that sum to one: fit what is left after grey, from differences to the green channel.
    differences = raw[:, [0, 2]] - raw[:, [1]]
    slopes = np.linalg.lstsq(differences, wanted - raw[:, [1]], rcond=None)[0].T
    return np.stack([slopes[:, 0], 1 - slopes.sum(axis=1), slopes[:, 1]], axis=1)


def observer() -> NDArray[np.float64]:
    """Weights (3, 31) that turn reflectance into the linear sRGB of a human eye; rows sum to one.

    Source: analytic fit to the CIE 1931 observer, Wyman, Sloan and Shirley 2013 (JCGT 2:2).
    """
    x = 1.056 * skewed(599.8, 37.9, 31.0) + 0.362 * skewed(442.0, 16.0, 26.7)
    x -= 0.065 * skewed(501.1, 20.4, 26.2)
    y = 0.821 * skewed(568.8, 46.9, 40.5) + 0.286 * skewed(530.9, 16.3, 31.1)
    z = 1.217 * skewed(437.0, 11.8, 36.0) + 0.681 * skewed(459.0, 26.0, 13.8)
    return _white_is_one(XYZ_TO_SRGB @ (np.stack([x, y, z]) * daylight()))


def expose(truth: NDArray[np.float32], exposure: float) -> NDArray[np.float32]:
    """Linear sRGB (3, rows, columns) of a reflectance cube (31, rows, columns), not yet clipped."""
    weights = exposure * colour_matrix() @ response()
    return np.tensordot(weights.astype(np.float32), truth, axes=1)


def develop(linear: Image, *, noise: np.random.Generator | None = None) -> NDArray[np.uint8]:
    """The 8-bit sRGB picture of linear sRGB, with the slight noise of a sensor if it is given.

    Noise variance is that of a well of 9,000 electrons and a floor of 0.0012 of full scale.
    """
    if noise is not None:
        deviation = np.sqrt(np.clip(linear, 0, None) / 9000 + 0.0012**2)
        linear = linear + deviation * noise.standard_normal(linear.shape, dtype=np.float32)
    return np.rint(255 * encode(np.clip(linear, 0, 1))).astype(np.uint8)


def encode(linear: Image) -> Image:
    """The sRGB curve, for values in [0, 1]. Source: IEC 61966-2-1."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def daylight() -> Spectrum:
    """Relative photons of sun and sky at each wavelength: a 5,800 K body behind a clear sky."""
    metres = WAVELENGTHS * 1e-9
    body = metres**-4 / np.expm1(0.0143878 / (metres * 5800))  # Planck, photons
    through = np.exp(-0.10 * (550 / WAVELENGTHS) ** 4)
    light: Spectrum = body * through
    return light / np.float64(light.mean())


def skewed(centre: float, violet: float, red: float) -> Spectrum:
    """A Gaussian with one standard deviation on either side; all in nm."""
    offset = WAVELENGTHS - centre
    lobe: Spectrum = np.exp(-0.5 * (offset / np.where(offset < 0, violet, red)) ** 2)
    return lobe


def _white_is_one(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows divided by their sums."""
    balanced: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return balanced
