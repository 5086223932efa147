"""Writes plots and a scene as data sets that `hsi-xr train` and `hsi-xr evaluate` read.

Plots are 20 x 20 pixels, too small for the critic of SRCGAN and for the deeper levels of other
networks. Four plots of one site make a scene of 40 x 40, for training and for scoring.

    python examples/experiments/prepare.py DATA OUT

writes OUT/simulated and OUT/sensor (cubes alone, whose images OUT/camera.json renders),
OUT/site-osbs and OUT/site-mlbs (real images: trained on one site, tested on the other) and OUT/harv
(real images of a third site).
"""

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from examples.default_model import sources
from examples.default_model.sources import Plot
from hsi_xr.datasets import COMMON

Array = NDArray[np.float32]
SIDE = 2
"""Plots in a row and in a column of a scene."""
CRS, CORNER = "EPSG:32617", (400_000.0, 4_000_000.0)
"""The georeference of all scenes, by which an image and its cube are matched."""
CAMERA = "Hasselblad_L2D-20c_380_780_5.json"
"""The camera of a drone, in DATA/cameras."""


def main(data: Path, out: Path) -> None:
    plots = sources.paired_plots(data, COMMON)
    sites = {
        site: [plot for plot in plots if plot.name.startswith(site)] for site in ("OSBS", "MLBS")
    }
    # every fifth plot is for testing, the next one for validation
    fold: dict[str, list[Plot]] = {"train": [], "validation": [], "test": []}
    for plots_of_site in sites.values():
        for split, remainders in {"test": {0}, "validation": {1}, "train": {2, 3, 4}}.items():
            fold[split] += scenes(
                [plot for i, plot in enumerate(plots_of_site) if i % 5 in remainders]
            )
    write(out / "simulated", fold)
    for trained, tested in (("OSBS", "MLBS"), ("MLBS", "OSBS")):
        own = list(enumerate(sites[trained]))
        write_pairs(
            out / f"site-{trained.lower()}",
            {
                "train": scenes([plot for i, plot in own if i % 5]),
                "validation": scenes([plot for i, plot in own if i % 5 == 0]),
                "test": scenes(sites[tested]),
            },
        )
    suburb = Plot("suburb", sources.suburb(data, COMMON), np.empty(0, "float32"))
    write(out / "sensor", {"test": [suburb]})
    write_pairs(out / "harv", {"test": [sources.harvard_forest(data, COMMON)]})
    shutil.copyfile(data / "cameras" / CAMERA, out / "camera.json")


def scenes(plots: Sequence[Plot]) -> list[Plot]:
    """Returns scenes of four plots each; the last one is filled up with plots already used."""
    count = SIDE * SIDE
    squares = []
    for first in range(0, len(plots), count):
        four = [plots[(first + i) % len(plots)] for i in range(count)]
        name = "-".join([four[0].name.split("_")[0], *(plot.name.split("_")[1] for plot in four)])
        cube, rgb = (tile([getattr(plot, key) for plot in four]) for key in ("cube", "rgb"))
        squares.append(Plot(name, cube, rgb))
    return squares


def tile(parts: Sequence[Array]) -> Array:
    rows = [np.concatenate(parts[i : i + SIDE], axis=2) for i in range(0, len(parts), SIDE)]
    return np.concatenate(rows, axis=1)


def write(folder: Path, splits: Mapping[str, Iterable[Plot]]) -> None:
    """Write cubes as `hsi_xr.datasets.cubes` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    table = "".join(f"{centre:g}\n" for centre in COMMON.centres)
    (folder / "wavelengths.csv").write_text(table)
    for split, members in splits.items():
        (folder / f"{split}.txt").write_text("".join(f"{scene.name}\n" for scene in members))
        for scene in members:
            write_raster(folder / f"{scene.name}.tif", scene.cube, metres=1.0)


def write_pairs(folder: Path, splits: Mapping[str, Sequence[Plot]]) -> None:
    """Write cubes and images as `hsi_xr.datasets.pairs` reads them."""
    write(folder / "hsi", splits)
    (folder / "rgb").mkdir(exist_ok=True)
    for split, members in splits.items():
        (folder / "hsi" / f"{split}.txt").rename(folder / f"{split}.txt")
        for scene in members:
            metres = scene.cube.shape[1] / scene.rgb.shape[1]
            rgb = np.round(255 * scene.rgb).astype("uint8")
            write_raster(folder / "rgb" / f"{scene.name}.tif", rgb, metres=metres)


def write_raster(path: Path, values: NDArray[np.generic], *, metres: float) -> None:
    count, rows, columns = values.shape
    profile = {
        "driver": "GTiff",
        "count": count,
        "height": rows,
        "width": columns,
        "dtype": values.dtype.name,
        "crs": CRS,
        "transform": rasterio.Affine(metres, 0, CORNER[0], 0, -metres, CORNER[1]),
        "compress": "deflate",
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
