"""Cubes in the layouts of other libraries."""

import numpy as np
import pytest
from affine import Affine

from hsi_xr.errors import NotGeoreferenced
from tests.analysis.cubes import shuffled
from tests.calibration.ground import CENTRES, cube


@pytest.mark.parametrize("chunks", [None, {"band": 5, "y": 20}])
def test_hypercoast_receives_rows_columns_wavelengths_and_the_crs(chunks):
    dataset = cube(chunks=chunks)
    exported = shuffled(dataset).hsi.to_hypercoast()
    assert exported["reflectance"].dims == ("y", "x", "wavelength")
    assert exported.attrs["crs"] == "EPSG:32633" == exported.rio.crs.to_string()
    assert (exported["reflectance"].chunks is None) == (chunks is None)
    place = {"x": 500_030, "y": 4_649_990, "method": "nearest"}
    expected = dataset["reflectance"].sel(**place)
    np.testing.assert_array_equal(exported["reflectance"].sel(**place), expected)
    near = exported.sel(wavelength=[650, 550, 450], method="nearest")["wavelength"]
    np.testing.assert_array_equal(near, [650, 550, 450])


def test_rotated_grids_are_refused_for_hypercoast():
    with pytest.raises(NotGeoreferenced, match="reproject"):
        cube(transform=Affine.rotation(20)).hsi.to_hypercoast()


def test_spectral_python_can_write_and_read_the_image(tmp_path):
    spectral = pytest.importorskip("spectral", reason="exports to Spectral Python")
    dataset = cube(chunks={"y": 20})
    image = shuffled(dataset).hsi.to_spectral()
    expected = np.moveaxis(dataset["reflectance"].values, 0, -1)
    np.testing.assert_array_equal(np.asarray(image), expected)
    assert image.shape == (61, 83, 31) and image.bands.centers == CENTRES.tolist()
    assert "not a measurement" in image.metadata["description"]
    path = str(tmp_path / "cube.hdr")
    spectral.envi.save_image(path, image, dtype=np.float32, metadata=image.metadata)
    again = spectral.open_image(path)
    np.testing.assert_array_equal(np.asarray(again.load()), expected)
    assert again.bands.centers == CENTRES.tolist() and again.bands.bandwidths == [10.0] * 31
    assert again.bands.band_unit == "nanometers"
