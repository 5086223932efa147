"""A drone camera that renders RGB images from known spectra: response, daylight, sRGB and noise.

The response is a model (asymmetric Gaussians of a colour-filter array behind an infrared filter),
not a measurement of any product. All spectra are on the 31 bands of `hsi_xr.demo.materials`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hsi_xr.demo.materials import WAVELENGTHS, Spectrum, library
from hsi_xr.demo.texture import Image

RED_GREEN_BLUE: Final = ((598.0, 24.0, 42.0), (536.0, 38.0, 36.0), (462.0, 30.0, 32.0))
"""Peak of each filter, and its standard deviations towards violet and towards red, in nm."""

LEAK: Final = ((470.0, 0.05), (610.0, 0.07), (535.0, 0.06))
"""Centre (nm) and height of the side lobe of each filter."""

XYZ_TO_SRGB: Final = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
"""CIE XYZ to linear sRGB, IEC 61966-2-1."""


def response() -> NDArray[np.float64]:
    """Returns the weights (3, 31) from reflectance to white-balanced raw RGB.

    They include camera and daylight. Each row sums to 1, so that a white reflector is (1, 1, 1).
    """
    filters = np.stack([asymmetric_gaussian(*lobe) for lobe in RED_GREEN_BLUE])
    filters += np.stack([share * asymmetric_gaussian(centre, 30, 30) for centre, share in LEAK])
    infrared_cut = 1 / (1 + np.exp((WAVELENGTHS - 672) / 9))
    return _normalise_rows(filters * infrared_cut * daylight())


def colour_matrix() -> NDArray[np.float64]:
    """Returns the matrix (3, 3) from white-balanced raw RGB to linear sRGB.

    It is a least-squares fit over the materials of the demo, as manufacturers fit it over a colour
    chart. Each row sums to 1, so that white stays white.
    """
    spectra = np.stack(list(library().values()))
    raw, target = spectra @ response().T, spectra @ observer().T
    # Differences to the green channel vanish for grey, so that the rows sum to 1.
    differences = raw[:, [0, 2]] - raw[:, [1]]
    slopes = np.linalg.lstsq(differences, target - raw[:, [1]], rcond=None)[0].T
    return np.stack([slopes[:, 0], 1 - slopes.sum(axis=1), slopes[:, 1]], axis=1)


def observer() -> NDArray[np.float64]:
    """Returns the weights (3, 31) from reflectance to linear sRGB for a human observer.

    Each row sums to 1.

    Source: analytic fit to the CIE 1931 observer, Wyman, Sloan and Shirley 2013 (JCGT 2:2).
    """
    x = 1.056 * asymmetric_gaussian(599.8, 37.9, 31.0) + 0.362 * asymmetric_gaussian(
        442.0, 16.0, 26.7
    )
    x -= 0.065 * asymmetric_gaussian(501.1, 20.4, 26.2)
    y = 0.821 * asymmetric_gaussian(568.8, 46.9, 40.5) + 0.286 * asymmetric_gaussian(
        530.9, 16.3, 31.1
    )
    z = 1.217 * asymmetric_gaussian(437.0, 11.8, 36.0) + 0.681 * asymmetric_gaussian(
        459.0, 26.0, 13.8
    )
    return _normalise_rows(XYZ_TO_SRGB @ (np.stack([x, y, z]) * daylight()))


def expose(truth: NDArray[np.float32], exposure: float) -> NDArray[np.float32]:
    """Returns the linear sRGB (3, rows, columns) of a cube (31, rows, columns), not clipped."""
    weights = exposure * colour_matrix() @ response()
    return np.tensordot(weights.astype(np.float32), truth, axes=1)


def develop(linear: Image, *, noise: np.random.Generator | None = None) -> NDArray[np.uint8]:
    """Returns the 8-bit sRGB image of linear sRGB (3, rows, columns).

    Args:
        linear: Linear sRGB, where 1 is full scale.
        noise: Generator of sensor noise (full-well capacity of 9,000 electrons, read noise of
            0.0012 of full scale); by default there is no noise.
    """
    if noise is not None:
        deviation = np.sqrt(np.clip(linear, 0, None) / 9000 + 0.0012**2)
        linear = linear + deviation * noise.standard_normal(linear.shape, dtype=np.float32)
    return np.rint(255 * encode(np.clip(linear, 0, 1))).astype(np.uint8)


def encode(linear: Image) -> Image:
    """Applies the sRGB curve to values in [0, 1]. Source: IEC 61966-2-1."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def daylight() -> Spectrum:
    """Returns the relative photon flux of daylight, a 5,800 K black body through a clear sky."""
    metres = WAVELENGTHS * 1e-9
    body = metres**-4 / np.expm1(0.0143878 / (metres * 5800))  # Planck's law for photons
    transmittance = np.exp(-0.10 * (550 / WAVELENGTHS) ** 4)
    light: Spectrum = body * transmittance
    return light / np.float64(light.mean())


def asymmetric_gaussian(centre: float, violet: float, red: float) -> Spectrum:
    """Returns a Gaussian with different standard deviations on either side; all in nm."""
    offset = WAVELENGTHS - centre
    lobe: Spectrum = np.exp(-0.5 * (offset / np.where(offset < 0, violet, red)) ** 2)
    return lobe


def _normalise_rows(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divides each row by its sum."""
    balanced: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return balanced
