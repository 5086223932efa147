"""Writes the table of spectral responses that ships with the package:
`python -m examples.default_model.cameras DATA OUT`.

DATA/cameras contains the files of rawtoaces-data.
"""

import argparse
import csv
import shutil
from pathlib import Path

from hsi_xr.camera.spectral_response import TABLE, read_curves

NOTICE = (
    "# Relative spectral sensitivities by camera and wavelength in nm, in millionths of each row.\n"
    "# Derived from rawtoaces-data, Academy Software Foundation and contributors, Apache-2.0;\n"
    "# changed: each channel divided by its sum and rounded, names instead of file names.\n"
)
LICENCE = "LICENSE.rawtoaces-data"


def write(folder: Path, out: Path) -> Path:
    """Write the table and its licence.

    Args:
        folder: JSON files of rawtoaces-data.
        out: Folder to write to.

    Returns:
        The path of the table.

    Raises:
        ValueError: The files differ in their wavelengths.
    """
    table = out / TABLE.name
    grid: list[float] = []
    with table.open("w", newline="") as file:
        file.write(NOTICE)
        rows = csv.writer(file, lineterminator="\n")
        for path in sorted(folder.glob("*.json"), key=name_of):
            wavelengths, curves = read_curves(path)
            if not grid:
                grid = wavelengths.tolist()
                rows.writerow(["camera", "channel", *(f"{nm:g}" for nm in grid)])
            if wavelengths.tolist() != grid:
                raise ValueError(f"{path.name} has other wavelengths than the first file")
            millionths = (1e6 * curves / curves.sum(1, keepdims=True)).round().astype(int)
            for channel, curve in zip(("red", "green", "blue"), millionths.tolist()):
                rows.writerow([name_of(path), channel, *curve])
    shutil.copyfile(folder / LICENCE, out / LICENCE)
    return table


def name_of(path: Path) -> str:
    """Returns the name of a camera: `Hasselblad_L2D-20c_380_780_5.json` is `hasselblad-l2d-20c`."""
    return path.name.split("_380_780")[0].lower().replace("_", "-")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    write(options.data / "cameras", options.out)


if __name__ == "__main__":
    main()
