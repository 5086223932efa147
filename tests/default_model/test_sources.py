"""Sources of training data, on files in the layout of the originals."""

import shutil

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from examples.default_model import sources
from hsi_xr.band_grid import Bands

BANDS = Bands.regular(450, 650, 50)


@pytest.fixture
def plots(tmp_path):
    """Two plots of 4 x 3 pixels, and a copy of the first by another name."""
    folder = tmp_path / "cubes"
    wavelengths = np.arange(400, 700, 10)
    folder.mkdir()
    (folder / "neon_wavelengths_nm.csv").write_text("\n".join(map(str, wavelengths)))
    rng = np.random.default_rng(3)
    for site, west in (("OSBS_2", 400000), ("OSBS_11", 400100)):
        for kind, bands, k in (("HSI", len(wavelengths), 1), ("RGB", 3, 10)):
            path = folder / "neon_idtrees" / kind / f"{site}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            values = rng.integers(100, 5000, (bands, 4 * k, 3 * k), dtype="int16")
            grid = from_origin(west, 3285000, 1 / k, 1 / k)
            profile = {"driver": "GTiff", "dtype": "int16", "crs": "EPSG:32617", "transform": grid}
            size = {"count": bands, "height": 4 * k, "width": 3 * k}
            with rasterio.open(path, "w", **profile, **size) as file:
                file.write(values)
            if site == "OSBS_2":
                shutil.copyfile(path, path.with_name("OSBS_35.tif"))
    return tmp_path


def test_a_plot_that_is_contained_twice_is_read_once(plots):
    assert [plot.name for plot in sources.paired_plots(plots, BANDS)] == ["OSBS_11", "OSBS_2"]
