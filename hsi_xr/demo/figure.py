"""The figure of the demo: the RGB image, a false-colour image of the cube, and three spectra."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hsi_xr.band_grid import nearest
from hsi_xr.level_interval import LevelInterval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: Final = ("#1b9e50", "#c8501e", "#2c6fbb")
"""Colours of the three spectra and their markers, distinguishable by colour-blind readers."""

RATIOS: Final = ((700, 670), (600, 550), (450, 500))
"""Reflectance ratios (nm over nm) that `false_colour` shows as red, green and blue: the red edge of
chlorophyll, the slope of iron oxides, and the slope from blue to blue-green."""

_TEXT_COLOUR = "#222222"
_ALONE_COLOUR = "#8a8a8a"
"""Colour of estimates from the image alone."""


@dataclass(frozen=True, kw_only=True)
class View:
    """Contents of the figure; cubes are (bands, rows, columns) of reflectance."""

    rgb: NDArray[np.uint8]
    """(3, rows, columns)."""
    alone: NDArray[np.floating]
    """Estimate from the image alone."""
    calibrated: NDArray[np.floating]
    """Estimate that is calibrated with the grey panel."""
    truth: NDArray[np.floating]
    intervals: Mapping[str, NDArray[np.floating]]
    """Ends of the 90 % interval of the calibrated estimate, (2, bands), by the name of the
    place."""
    level: LevelInterval
    """The level of the image, estimated from the image alone."""
    wavelengths: Sequence[float]
    """Band centres in nm."""
    places: Mapping[str, tuple[int, int]]
    """(row, column) of each spectrum, by the name of its material; three at most."""
    panel: tuple[int, int]
    """(row, column) of the grey panel."""
    model: str
    pixel: float
    """Ground size of a pixel in metres."""


def draw(view: View, path: Path) -> None:
    """Writes the figure as a PNG that is 1600 pixels wide."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06, wspace=0.02, hspace=0.03)
    figure = Figure(figsize=(16, 9.6), facecolor="white", layout=layout)
    grid = figure.add_gridspec(2, 6, height_ratios=(2.45, 1))
    ratios = ", ".join(f"{hue} {a}/{b}" for hue, (a, b) in zip("RGB", RATIOS, strict=True))
    photo = figure.add_subplot(grid[0, :3])
    _image(
        photo, np.moveaxis(view.rgb, 0, -1), view,
        f"Input: 8-bit RGB, {100 * view.pixel:.3g} cm pixels, rendered scene",
    )  # fmt: skip
    _mark_panel(photo, view)
    _image(
        figure.add_subplot(grid[0, 3:]), false_colour(view.calibrated, view.wavelengths), view,
        f"Reconstructed bands in false colour (ratios, nm): {ratios}",
    )  # fmt: skip
    for number, name in enumerate(view.places):
        spectrum = figure.add_subplot(grid[1, 2 * number : 2 * number + 2])
        _spectrum(spectrum, view, number, name)
    figure.legend(
        *spectrum.get_legend_handles_labels(),
        loc="outside lower center", ncols=5, frameon=False, fontsize=11, labelcolor=_TEXT_COLOUR,
    )  # fmt: skip
    figure.suptitle(
        f"Spectra from an RGB image · reconstructed, model estimate ({view.model})",
        fontsize=15, fontweight="bold", color=_TEXT_COLOUR,
    )  # fmt: skip
    figure.savefig(path, format="png", dpi=100, metadata={"Software": "hsi-xr"})


def false_colour(cube: NDArray[np.floating], wavelengths: Sequence[float]) -> NDArray[np.float64]:
    """Returns a false-colour image, (rows, columns, 3) in [0, 1].

    Hue is given by `RATIOS`, stretched from their 2nd to their 98th percentile, and lightness by
    mean reflectance. Pixels with NaN are black.

    Args:
        cube: (bands, rows, columns) reflectance.
        wavelengths: Band centres in nm.
    """
    bands = {nm: np.clip(cube[nearest(wavelengths, nm)], 1e-3, None) for nm in np.unique(RATIOS)}
    hue = np.stack([_stretch(np.log(bands[a] / bands[b])) for a, b in RATIOS], axis=-1)
    mean = np.clip(np.mean(cube, axis=0), 0, None)
    light = np.clip(mean / np.nanpercentile(mean, 98), 0, 1) ** 0.28
    image: NDArray[np.float64] = np.nan_to_num((0.06 + 0.94 * hue) * light[..., None])
    return image


def _stretch(values: NDArray[np.floating]) -> NDArray[np.float64]:
    low, high = np.nanpercentile(values, (2, 98))
    share: NDArray[np.float64] = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    return share


def _image(axes: "Axes", image: NDArray[np.generic], view: View, title: str) -> None:
    axes.imshow(image, interpolation="antialiased")
    axes.set_title(title, fontsize=12, color=_TEXT_COLOUR)
    axes.set_axis_off()
    for colour, (row, column) in zip(COLOURS, view.places.values(), strict=False):
        for width, edge in ((5.0, "white"), (2.5, colour)):
            axes.plot(
                column, row, "o",
                markersize=15, markerfacecolor="none", markeredgewidth=width, markeredgecolor=edge,
            )  # fmt: skip
    _scale_bar(axes, image.shape, view.pixel)


def _scale_bar(axes: "Axes", shape: tuple[int, ...], pixel: float) -> None:
    """Draws a scale bar at the lower left, of a round length near a tenth of the width."""
    rows, columns = shape[:2]
    longest = 0.12 * columns * pixel
    length = max(m * 10.0**e for e in range(-2, 5) for m in (1, 2, 5) if m * 10.0**e <= longest)
    left, bottom = 0.025 * columns, 0.965 * rows
    for width, colour in ((6, "black"), (3, "white")):
        axes.plot(
            [left, left + length / pixel], [bottom, bottom],
            linewidth=width, color=colour, solid_capstyle="butt",
        )  # fmt: skip
    axes.text(
        left, bottom - 0.018 * rows, f"{length:g} m",
        color="white", fontsize=10, fontweight="bold",
        bbox={"facecolor": "black", "alpha": 0.35, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def _mark_panel(axes: "Axes", view: View) -> None:
    row, column = view.panel
    axes.annotate(
        "grey panel", (column, row), (column - 0.1 * view.rgb.shape[2], row),
        ha="center", va="center", fontsize=10, fontweight="bold", color="white",
        bbox={"facecolor": "black", "alpha": 0.45, "edgecolor": "none", "pad": 2},
        arrowprops={"arrowstyle": "-|>", "color": "white", "linewidth": 1.6, "shrinkB": 8},
    )  # fmt: skip


def _spectrum(axes: "Axes", view: View, number: int, name: str) -> None:
    row, column = view.places[name]
    colour, nm = COLOURS[number], view.wavelengths
    truth, alone = view.truth[:, row, column], view.alone[:, row, column]
    low, high = view.intervals[name]
    axes.fill_between(
        nm, low, high, color=colour, alpha=0.2, linewidth=0, label="90 % interval, level known"
    )
    axes.plot(
        nm, view.calibrated[:, row, column],
        color=colour, linewidth=2.6, label="estimate with the grey panel",
    )  # fmt: skip
    axes.plot(nm, truth, color=_TEXT_COLOUR, linewidth=1.8, linestyle=(0, (5, 2)), label="truth")
    axes.plot(nm, alone, color=_ALONE_COLOUR, linewidth=1.8, label="estimate from the image alone")
    shortest, longest = (factor * alone[-1] for factor in view.level.factor)
    axes.errorbar(
        nm[-1] + 5, alone[-1], yerr=[[alone[-1] - shortest], [longest - alone[-1]]],
        fmt="o", markersize=3.5, color=_ALONE_COLOUR, elinewidth=1.8, capsize=4,
        label="its level, 90 % interval",
    )  # fmt: skip
    axes.set_title(f"● {name}", fontsize=12, color=colour, fontweight="bold", loc="left")
    axes.set_xlim(nm[0], nm[-1] + 11)
    top = max(float(np.nanmax(each)) for each in (truth, high, longest))
    axes.set_ylim(0, 1.06 * max(top, 0.05))
    axes.set_xlabel("wavelength (nm)", color=_TEXT_COLOUR)
    axes.grid(color="#e3e3e3", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_TEXT_COLOUR)
    if number == 0:
        axes.set_ylabel("reflectance", color=_TEXT_COLOUR)
