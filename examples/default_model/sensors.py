"""Writes the table of measured responses of sensors that ships with the package:
`python -m examples.default_model.sensors DATA OUT`.

DATA/sensors contains the curves of pyrsr and hs_process at 1 nm, DATA/licences their licences. At
2 nm in ten-thousandths, band values of measured spectra differ by less than 0.001 from those of
the curves at 1 nm, and the table is half as large (`tests/default_model/test_sensors.py`).
"""

import argparse
import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hsi_xr.camera.bandpass import CURVES, PRECISION, STEP

NOTICE = (
    "# Relative spectral responses of sensors in ten-thousandths of their maximum, every 2 nm.\n"
    "# Derived from pyrsr (Apache-2.0) and hs_process (MIT), see LICENSE.pyrsr and\n"
    "# LICENSE.hs_process; changed: sampled at 2 nm and rounded, names instead of file names.\n"
)
FOLDERS = {"pyrsr": "pyrsr_apache2", "hs_process": "hs_process_mit"}

NAMES = {
    "Landsat-7_ETMp": "landsat-7-etm",
    "Landsat-8_OLI_TIRS": "landsat-8-oli",
    "Landsat-9_OLI_TIRS": "landsat-9-oli-2",
    "MicaSense_RedEdge3": "micasense-rededge-3",
    "RapidEye_MSI": "rapideye",
    "Sentinel-2A_MSI": "sentinel-2a",
    "Sentinel-2B_MSI": "sentinel-2b",
}
"""Names that are not those of the files in lower case."""

CHANNELS = {"b": "Blue", "g": "Green", "r": "Red", "re": "Red edge", "nir": "NIR"}
"""Names of the channels of MicaSense, as in `sensors.csv`."""


def write(folder: Path, out: Path) -> Path:
    """Write the table and the licences of its sources.

    Args:
        folder: The data: `sensors` and `licences`.
        out: Folder to write to.

    Returns:
        The path of the table.
    """
    paths = [path for each in FOLDERS.values() for path in (folder / "sensors" / each).iterdir()]
    table = out / CURVES.name
    with table.open("w", newline="") as file:
        file.write(NOTICE)
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["sensor", "band", "source", "first_nm", "response"])
        for path in sorted(paths, key=lambda path: name_of(path.stem)):
            rows.writerows(_rows(path))
    for source in FOLDERS:
        shutil.copyfile(folder / "licences" / f"{source}.txt", out / f"LICENSE.{source}")
    return table


def name_of(stem: str) -> str:
    """Returns the name of a sensor: `SPOT-5_HRG1` is `spot-5-hrg1`."""
    return NAMES.get(stem, stem.lower().replace("_", "-"))


def _rows(path: Path) -> Iterator[list[str]]:
    """Yields a row for each distinct curve of a file, by ascending centre.

    Channels of one filter, as 3N and 3B of ASTER, have equal curves; the first one is kept.
    """
    file = json.loads(path.read_text())
    bands = {CHANNELS.get(name, name): band for name, band in file["bands"].items()}
    ascending = sorted(bands, key=lambda name: (bands[name]["centre_nm"], name != "B3N", name))
    seen: list[list[float]] = []
    for name in ascending:
        if (curve := bands[name]["response"]) in seen:
            continue
        seen.append(curve)
        first, values = sample(bands[name]["first_nm"], curve)
        yield [name_of(path.stem), name, file["source"], str(first), " ".join(map(str, values))]


def sample(first: int, curve: list[float]) -> tuple[int, list[int]]:
    """Samples a curve of 1 nm from its first wavelength, with one zero on either side.

    Returns:
        The first wavelength, a multiple of the step, and values in units of the table.
    """
    known = np.arange(first, first + len(curve))
    at = np.arange(first // STEP * STEP - STEP, known[-1] + 2 * STEP, STEP)
    values = np.interp(at, known, np.array(curve) / max(curve), 0, 0)
    values = (PRECISION * values / values.max()).round().astype(int)
    positive = values.nonzero()[0]
    kept = slice(positive[0] - 1, positive[-1] + 2)
    return int(at[kept][0]), values[kept].tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    write(options.data, options.out)


if __name__ == "__main__":
    main()
