"""Analyse a cube: a spectrum, a satellite's bands, similar materials, an index, plots.

python examples/analysis.py CUBE.tif X Y LIBRARY.csv OUT/
"""

import sys
from pathlib import Path

import hsi_xr


def main(path: str, x: str, y: str, library: str, out: str) -> None:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    cube = hsi_xr.open(path)  # lazy: nothing is read yet

    spectrum = cube.hsi.spectrum(float(x), float(y))
    spectrum.to_series().to_csv(folder / "spectrum.csv")
    cube.hsi.plot.spectrum(float(x), float(y)).figure.savefig(folder / "spectrum.png")

    satellite = cube.hsi.to_sensor("sentinel-2a")
    hsi_xr.write(satellite, folder / "sentinel-2a.tif", overwrite=True)  # streams
    print("left out of Sentinel-2A:", satellite.attrs["hsi_xr_sensor_left_out"])

    materials = hsi_xr.library(library)
    angles = cube.hsi.sam(materials, degrees=True)
    pixel = angles.sel(x=spectrum["x"], y=spectrum["y"], method="nearest")
    order = pixel.values.argsort()[:3]
    names = materials["spectrum"].values[order]
    for name, angle in zip(names, pixel.values[order], strict=True):
        print(f"{angle:5.1f} degrees from {name}")

    similarity = cube.hsi.sam(spectrum, degrees=True)
    similarity.hsi.plot.map(cmap="viridis_r").figure.savefig(folder / "similarity.png")
    cube.hsi.indices("GLI").hsi.plot.map().figure.savefig(folder / "green-leaf-index.png")
    cube.hsi.plot.rgb().figure.savefig(folder / "natural-colour.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
