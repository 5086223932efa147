"""Draws a scored image on one page: RGB, estimate, truth, error map and three spectra."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hsi_xr.band_grid import nearest
from hsi_xr.evaluation.evaluate import ScoredImage
from hsi_xr.evaluation.scores import columns_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import SubFigure

SHOWN_NM: Final = 550
"""Wavelength of the band that is drawn; every band grid includes it."""
ERRORS: Final = (0.01, 1.0)
"""Ends of the logarithmic colour scale of the error map, 1 % and 100 %, on every page."""
RANKS: Final = {10: "10th percentile", 50: "median", 90: "90th percentile"}
"""Percentiles of the error of the pixels whose spectra are drawn: good, typical and bad ones."""
COLOURS: Final = ("#1b9e50", "#2c6fbb", "#c8501e")
"""Colours of the three spectra; distinguishable with colour blindness."""
_INK = "#222222"


def draw(scored: ScoredImage, path: Path) -> None:
    """Writes the page as a PNG 1600 pixels wide.

    The error map has the same colour scale on every page, so that pages can be compared.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0.02, hspace=0.04)
    rows, columns = scored.truth.shape[1:]
    top = min(4.2 * rows / columns, 8)
    height = top + 4.2
    figure = Figure(figsize=(16, height), facecolor="white", layout=layout)
    grid = figure.add_gridspec(2, 1, height_ratios=(top + 0.9, 3.3))
    above, below = (figure.add_subfigure(half) for half in (grid[0], grid[1]))
    errors = relative_errors(scored)
    pixels = pixels_at(errors, scored.crop)
    _images(above, scored, errors, pixels)
    for number, pixel in enumerate(pixels):
        axes = below.add_subplot(1, len(pixels), number + 1)
        _spectrum(axes, scored, number, pixel, float(errors[pixel]))
    image = scored.image
    above.suptitle(
        f"{image.data} · {image.name} · model {image.model}\n",
        fontsize=15, fontweight="bold", color=_INK,
    )  # fmt: skip
    figure.text(0.5, 1 - 0.5 / height, _scores(scored), ha="center", va="top", color=_INK)
    figure.savefig(path, dpi=100, metadata={"Software": "hsi-xr"})


def relative_errors(scored: ScoredImage) -> NDArray[np.float64]:
    """Returns the mean over bands of |estimate - truth| / truth; NaN where it is undefined."""
    truth = np.where(scored.truth > 0, scored.truth, np.nan).astype(np.float64)
    errors = np.abs(scored.estimate - truth) / truth
    defined = np.isfinite(errors)
    with np.errstate(invalid="ignore"):
        mean = np.where(defined, errors, 0).sum(axis=0) / defined.sum(axis=0)
    return np.asarray(mean)


def pixels_at(errors: NDArray[np.float64], crop: tuple[slice, slice]) -> list[tuple[int, int]]:
    """Returns row and column of the pixels in the crop with the percentiles `RANKS` of error."""
    inside = np.full(errors.shape, np.nan)
    inside[crop] = errors[crop]
    order = np.argsort(inside, axis=None, kind="stable")  # NaN sorts last
    count = int(np.isfinite(inside).sum())
    ranked = [order[round(rank / 100 * (count - 1))] for rank in RANKS] if count else []
    return [(int(at) // errors.shape[1], int(at) % errors.shape[1]) for at in ranked]


def _images(
    figure: "SubFigure",
    scored: ScoredImage,
    errors: NDArray[np.float64],
    pixels: list[tuple[int, int]],
) -> None:
    from matplotlib.colors import LogNorm

    band = nearest(scored.image.bands, SHOWN_NM)
    truth, nm = scored.truth[band], f"{scored.image.bands[band]:g} nm"
    top = float(np.nanpercentile(truth, 99.5)) if np.isfinite(truth).any() else 1.0
    grey = {"cmap": _colour_map("gray"), "vmin": 0.0, "vmax": top or 1.0}
    relative = {"cmap": _colour_map("magma"), "norm": LogNorm(*ERRORS)}
    panels: list[tuple[str, NDArray[np.floating], dict[str, Any]]] = [
        (f"Input RGB ({scored.coding})", _for_display(scored), {}),
        (f"Estimate at {nm}", scored.estimate[band], grey),
        (f"Truth at {nm}, same grey scale", truth, grey),
        ("Relative error, mean over bands", np.clip(errors, *ERRORS), relative),
    ]
    for number, (title, image, style) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), number + 1)
        drawn = axes.imshow(image, **style)
        axes.set_title(title, fontsize=12, color=_INK)
        axes.set_axis_off()
        _mark(axes, scored, pixels)
    ticks = (0.01, 0.03, 0.1, 0.3, 1.0)
    bar = figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.02, ticks=ticks)
    bar.ax.set_yticklabels(["≤ 1 %", "3 %", "10 %", "30 %", "≥ 100 %"])
    bar.ax.minorticks_off()


def _colour_map(name: str) -> "Colormap":
    """Returns a colour map with a separate colour for missing pixels."""
    from matplotlib import colormaps

    return colormaps[name].with_extremes(bad="#7fb2d9")


def _for_display(scored: ScoredImage) -> NDArray[np.float64]:
    """Returns (rows, columns, 3) for display; linear images are stretched and gamma-encoded."""
    rgb = np.moveaxis(np.nan_to_num(scored.rgb.astype(np.float64)), 0, -1)
    if scored.coding == "linear":
        rgb = np.clip(rgb / max(float(np.percentile(rgb, 99.5)), 1e-6), 0, 1) ** (1 / 2.2)
    return np.clip(rgb, 0, 1)


def _mark(axes: "Axes", scored: ScoredImage, pixels: list[tuple[int, int]]) -> None:
    """Marks the pixels of the spectra, and outlines the crop if only a part was scored."""
    from matplotlib.patches import Rectangle

    rows, columns = scored.crop
    high, wide = rows.stop - rows.start, columns.stop - columns.start
    if (high, wide) != scored.truth.shape[1:]:
        corner = (columns.start - 0.5, rows.start - 0.5)
        for width, colour in ((2.6, "black"), (1.2, "white")):
            axes.add_patch(
                Rectangle(corner, wide, high, fill=False, linewidth=width, edgecolor=colour)
            )
    for colour, (row, column) in zip(COLOURS, pixels):
        for width, edge in ((4.0, "white"), (2.0, colour)):
            axes.plot(
                column, row, "o",
                markersize=11, markerfacecolor="none", markeredgewidth=width, markeredgecolor=edge,
            )  # fmt: skip


def _spectrum(
    axes: "Axes", scored: ScoredImage, number: int, pixel: tuple[int, int], error: float
) -> None:
    nm, colour, rank = scored.image.bands, COLOURS[number], list(RANKS.values())[number]
    estimate, truth = (cube[:, pixel[0], pixel[1]] for cube in (scored.estimate, scored.truth))
    axes.plot(nm, truth, color=_INK, linewidth=1.8, linestyle=(0, (5, 2)), label="truth")
    axes.plot(nm, estimate, color=colour, linewidth=2.4, label="estimate")
    axes.set_title(
        f"● {rank}: error {percent(error)} (row {pixel[0]}, column {pixel[1]})",
        fontsize=11, color=colour, fontweight="bold", loc="left",
    )  # fmt: skip
    axes.set_xlim(nm[0], nm[-1])
    both = np.concatenate([estimate, truth, [0.0]])
    axes.set_ylim(1.1 * float(np.nanmin(both)), 1.2 * max(float(np.nanmax(both)), 0.01))
    axes.set_xlabel("wavelength (nm)", color=_INK)
    axes.grid(color="#e3e3e3", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK)
    if number == 0:
        axes.set_ylabel("reflectance, as scaled in the data set", color=_INK)
        axes.legend(frameon=False, fontsize=9.5, loc="best", labelcolor=_INK)


def percent(share: float) -> str:
    """Formats a fraction in percent with two significant digits, without exponent."""
    return f"{float(f'{100 * share:.2g}'):g} %"


def _scores(scored: ScoredImage) -> str:
    values = scored.image.scores
    columns = columns_of(values).items()
    return "   ".join(f"{c.title} {values[name]:.{c.digits}f}" for name, c in columns)
