"""Draws `draws.png`, joint draws of the demo's scene beside its truth.

Run `python docs/images/draws.py`. The level of the image is stated, so that draws and truth can be
compared as they are.
"""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import hsi_xr
from hsi_xr.demo.render import render

HERE = Path(__file__).parent
FIELD = 24
"""Side of the square around each place whose mean is drawn, in pixels."""
DRAW, INDEPENDENT = "#2c6fbb", "#c8501e"


def main() -> None:
    scene = render(768, 1024)
    rgb = xr.DataArray(scene.rgb, dims=("band", "y", "x"))
    options = {"level": scene.exposure, "allow_ungeoreferenced": True}
    drawn = hsi_xr.reconstruct(rgb, samples=16, draws=True, **options)
    nm = drawn["wavelength"].values
    places = {name: scene.places()[name] for name in list(scene.places())[:3]}
    figure = Figure(figsize=(12, 3.6), layout="constrained", dpi=100)
    image, *axes = figure.subplots(1, 4, width_ratios=(1.25, 1, 1, 1))
    image.imshow(np.moveaxis(scene.rgb, 0, -1))
    image.set_axis_off()
    for letter, axis, (name, (row, column)) in zip("ABC", axes, places.items()):
        part = {
            "y": slice(row - FIELD // 2, row + FIELD // 2),
            "x": slice(column - FIELD // 2, column + FIELD // 2),
        }
        corner = (column - FIELD // 2, row - FIELD // 2)
        image.add_patch(Rectangle(corner, FIELD, FIELD, fill=False, edgecolor="white", lw=1.5))
        image.annotate(letter, (column, row - FIELD), color="white", ha="center", fontweight="bold")
        square = drawn.isel(part)
        mean = square.reflectance.mean(("y", "x")).values
        centre = mean.mean(0)
        half = 1.645 * (square.reflectance_std**2).mean(("y", "x")).values ** 0.5 / FIELD
        truth = scene.truth[:, part["y"], part["x"]].mean((1, 2))
        axis.plot(nm, mean.T, color=DRAW, lw=0.9)
        axis.fill_between(nm, centre - half, centre + half, color=INDEPENDENT, lw=0, zorder=3)
        axis.plot(nm, truth, color="black", lw=2, zorder=4)
        axis.set(title=f"{letter}: mean of {name}", xlabel="wavelength (nm)", ylim=(0, None))
    axes[0].set_ylabel("reflectance")
    axes[0].plot([], [], color="black", lw=2, label="truth")
    axes[0].plot([], [], color=DRAW, label="16 draws")
    axes[0].plot([], [], color=INDEPENDENT, lw=4, label="90 %, if pixels were independent")
    axes[0].legend(fontsize=7, frameon=False)
    figure.savefig(HERE / "draws.png")


if __name__ == "__main__":
    main()
