"""Reflectance spectra of common materials, modelled from the physics of their pigments.

Every opaque surface is a Kubelka-Munk layer: the ratio of absorption to scattering at each
wavelength determines its reflectance. Absorption is a sum of Gaussian bands and edges of the
substances that colour the surface (chlorophyll, carotenoids, iron oxides, organic matter, dyes).
Nothing is copied from a spectral library; levels and shapes resemble common field measurements.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hsi_xr.band_grid import Bands

Spectrum = NDArray[np.float64]
"""One value per band, at `WAVELENGTHS`: reflectance in [0, 1], or absorption over scattering."""

BANDS: Final = Bands.regular(400, 700, 10)
WAVELENGTHS: Final[Spectrum] = np.array(BANDS.centres)
"""Band centres in nm."""

GREY: Final = 0.5
"""Reflectance of the reference panel, equal in all bands."""


def opaque(absorption: Spectrum, *, gloss: float = 0.0) -> Spectrum:
    """Returns the reflectance of a thick scattering layer.

    Args:
        absorption: Ratio of absorption to scattering.
        gloss: Share of light that the surface reflects before it reaches any pigment.

    Source: Kubelka and Munk 1931, the layer of infinite thickness.
    """
    body = 1 + absorption - np.sqrt(absorption**2 + 2 * absorption)
    return gloss + (1 - gloss) * body


def peak(centre: float, width: float) -> Spectrum:
    """Returns a Gaussian band of height 1; centre and standard deviation in nm."""
    return np.exp(-0.5 * ((WAVELENGTHS - centre) / width) ** 2)


def edge(centre: float, width: float) -> Spectrum:
    """Returns an edge that falls from 1 to 0 around `centre` nm, over about `width` nm."""
    return 1 / (1 + np.exp((WAVELENGTHS - centre) / width))


def chlorophyll() -> Spectrum:
    """Returns the absorption of chlorophyll a and b in a leaf, 1 at the red maximum near 675 nm."""
    blue = 1.1 * edge(506, 9) + 0.12 * peak(436, 16)
    red = 0.88 * peak(677, 11.5) + 0.46 * peak(652, 17)
    yellow = 0.28 * peak(618, 24) + 0.12 * peak(585, 24)
    return blue + yellow + red + 0.08 * edge(690, 6)


def carotenoids() -> Spectrum:
    """Returns the absorption of yellow pigments, 1 near 455 nm and 0 beyond 530 nm."""
    return 0.8 * peak(430, 22) + 0.95 * peak(456, 18) + 0.75 * peak(487, 15)


def browning() -> Spectrum:
    """Returns the absorption of tannins, humus and char, 1 at 400 nm and falling towards red."""
    return np.exp(-(WAVELENGTHS - 400) / 130)


def leaf(*, green: float, yellow: float = 0.4, brown: float = 0.2, dark: float = 0.6) -> Spectrum:
    """Returns the reflectance of a leaf canopy.

    Args:
        green: Amount of chlorophyll.
        yellow: Amount of carotenoids.
        brown: Amount of brown matter.
        dark: Absorption by shade within the canopy, equal in all bands.
    """
    pigments = green * chlorophyll() + yellow * carotenoids() + brown * browning()
    return opaque(11.0 * pigments + dark, gloss=0.006)


def soil(*, iron: float, humus: float, dark: float, red: float = 0.3) -> Spectrum:
    """Returns the reflectance of bare soil or fired clay.

    Args:
        iron: Amount of iron oxides, which cause the step between 450 and 600 nm.
        humus: Amount of organic matter.
        dark: Absorption that is equal in all bands.
        red: Share of haematite in the iron oxides, which moves the step towards red; the rest is
            goethite.
    """
    goethite = edge(505, 22) + 0.35 * peak(480, 22) + 0.08 * peak(650, 45)
    haematite = 1.1 * edge(565, 14) + 0.3 * peak(535, 22) + 0.10 * peak(660, 40)
    oxides = (1 - red) * goethite + red * haematite
    return opaque(iron * oxides + humus * browning() + dark, gloss=0.006)


def flat(level: float, *, warm: float = 0.0) -> Spectrum:
    """Returns a grey of mean reflectance `level`, brighter in red than in violet by `warm`."""
    return level * (1 + warm * (WAVELENGTHS - 550) / 300)


def paint(dyes: Spectrum, *, dark: float = 0.05) -> Spectrum:
    """Returns the reflectance of dyes in titanium-white paint, which absorbs near 400 nm."""
    return opaque(dyes + dark + 1.5 * edge(403, 6), gloss=0.03)


def water(*, depth_tint: float, algae: float, silt: float) -> Spectrum:
    """Returns the reflectance just above a water surface, with a little reflected sky.

    Args:
        depth_tint: Absorption of dissolved organic matter at 440 nm, 1/m.
        algae: Chlorophyll absorption at 675 nm, 1/m.
        silt: Backscattering of suspended matter, 1/m.

    Source: the ratio b / (a + b) of Gordon et al. 1975, with the absorption of pure water rounded
    from Pope and Fry 1997 and interpolated between a few wavelengths.
    """
    wavelengths = (400, 440, 490, 520, 550, 580, 600, 620, 660, 680, 700)
    pure = np.interp(
        WAVELENGTHS,
        wavelengths,
        (0.007, 0.006, 0.015, 0.041, 0.057, 0.09, 0.22, 0.28, 0.41, 0.47, 0.62),
    )
    organic = depth_tint * np.exp(-0.016 * (WAVELENGTHS - 440))
    scattering = 0.002 * (WAVELENGTHS / 550) ** -4 + silt * (WAVELENGTHS / 550) ** -0.7
    sky = 0.012 * (0.75 + 0.5 * (WAVELENGTHS / 450) ** -4)
    inside = scattering / (pure + organic + algae * chlorophyll() + scattering)
    return sky + 0.30 * inside


_MATERIALS: Final[Mapping[str, Callable[[], Spectrum]]] = {
    "maize": lambda: leaf(green=1.0, yellow=0.35, brown=0.10, dark=1.2),
    "maize, pale": lambda: leaf(green=0.42, yellow=0.35, brown=0.08, dark=0.95),
    "oak": lambda: leaf(green=1.25, yellow=0.4, brown=0.18, dark=2.0),
    "birch": lambda: leaf(green=0.85, yellow=0.22, brown=0.03, dark=0.95),
    "yellowing crown": lambda: leaf(green=0.20, yellow=0.6, brown=0.14, dark=0.9),
    "beetroot": lambda: opaque(
        7.0 * chlorophyll() + 2.5 * carotenoids() + 9.0 * peak(535, 40) + 1.4, gloss=0.006
    ),
    "grass": lambda: leaf(green=0.75, yellow=0.35, brown=0.22, dark=0.9),
    "lawn": lambda: leaf(green=0.62, yellow=0.30, brown=0.06, dark=0.9),
    "dry grass": lambda: opaque(1.9 * browning() + 0.10 * chlorophyll() + 0.25, gloss=0.01),
    "ripe wheat": lambda: opaque(
        1.9 * browning() + 0.75 * carotenoids() + 0.04 * chlorophyll() + 0.20, gloss=0.01
    ),
    "reed": lambda: leaf(green=0.40, yellow=0.4, brown=0.35, dark=0.8),
    "brown soil": lambda: soil(iron=1.5, humus=2.0, dark=0.95, red=0.35),
    "wet soil": lambda: soil(iron=2.8, humus=4.5, dark=2.4, red=0.35),
    "loess": lambda: soil(iron=0.85, humus=0.75, dark=0.30, red=0.2),
    "sand": lambda: soil(iron=0.45, humus=0.45, dark=0.16, red=0.15),
    "gravel": lambda: soil(iron=0.20, humus=0.40, dark=0.50, red=0.2),
    "clay tiles": lambda: soil(iron=3.1, humus=0.5, dark=0.38, red=0.85),
    "old tiles": lambda: soil(iron=2.2, humus=1.2, dark=0.95, red=0.8),
    "lichen": lambda: opaque(0.35 + 0.9 * carotenoids() + 0.25 * chlorophyll() + 0.4 * browning()),
    "asphalt": lambda: flat(0.105, warm=0.22),
    "fresh asphalt": lambda: flat(0.055, warm=0.12),
    "concrete": lambda: soil(iron=0.09, humus=0.16, dark=0.27, red=0.1),
    "zinc": lambda: flat(0.33, warm=-0.10) - 0.015 * peak(660, 60),
    "white": lambda: 0.86 * paint(np.zeros(31), dark=0.010),
    "grey panel": lambda: flat(GREY),
    "solar panel": lambda: 0.022 + 0.040 * peak(452, 34),
    "red paint": lambda: paint(9.0 * edge(590, 9), dark=0.45),
    "blue plastic": lambda: paint(4.0 * (1 - edge(545, 18)) - 0.8 * peak(700, 14), dark=0.22),
    "sunflower": lambda: paint(5.0 * edge(512, 11) + 0.35 * browning(), dark=0.12),
    "lavender": lambda: paint(1.3 * peak(545, 34) + 0.9 * peak(590, 20) + 0.3, dark=0.25),
    "poppy": lambda: paint(9.0 * edge(592, 9) + 0.5 * browning(), dark=0.3),
    "clear water": lambda: water(depth_tint=0.35, algae=0.010, silt=0.004),
    "turbid water": lambda: water(depth_tint=0.55, algae=0.10, silt=0.085),
}


def library() -> dict[str, Spectrum]:
    """Returns the reflectance of every material by name, at 31 wavelengths from 400 to 700 nm."""
    return {name: make() for name, make in _MATERIALS.items()}
