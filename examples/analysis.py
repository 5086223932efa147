"""A cube to what is asked of it: a spectrum, a satellite's bands, likeness, an index, a picture.

python examples/analysis.py CUBE.tif X Y LIBRARY.sli OUT/
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

    seen = cube.hsi.to_sensor("sentinel-2a")
    hsi_xr.write(seen, folder / "sentinel-2a.tif", overwrite=True)  # streams
    print("left out of Sentinel-2A:", seen.attrs["hsi_xr_sensor_left_out"])

    known = hsi_xr.library(library)
    here = cube.hsi.sam(known, degrees=True).sel(x=spectrum["x"], y=spectrum["y"], method="nearest")
    order = here.values.argsort()[:3]
    for name, angle in zip(known["spectrum"].values[order], here.values[order], strict=True):
        print(f"{angle:5.1f} degrees from {name}")

    angles = cube.hsi.sam(spectrum, degrees=True)
    angles.hsi.plot.map(cmap="viridis_r").figure.savefig(folder / "likeness.png")
    cube.hsi.indices("GLI").hsi.plot.map().figure.savefig(folder / "green-leaf-index.png")
    cube.hsi.plot.rgb().figure.savefig(folder / "picture.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
