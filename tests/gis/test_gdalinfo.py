"""The oldest GDAL that users meet, that of a system, tells what products say of themselves."""

import json
import shutil
import subprocess

import numpy as np
import pytest

import hsi_xr
from tests.gis.conftest import FORMATS

pytestmark = pytest.mark.skipif(
    shutil.which("gdalinfo") is None, reason="no gdalinfo: `make system-packages` installs it"
)


def gdalinfo(path) -> dict:
    command = ["gdalinfo", "-json", "-mdd", "all", path]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


@pytest.mark.parametrize("name", FORMATS.values())
def test_gdalinfo_tells_place_bands_and_making(products, cube, name):
    about = gdalinfo(products / name)
    assert about["size"] == [cube.sizes["x"], cube.sizes["y"]]
    assert 'ID["EPSG",32633]' in about["coordinateSystem"]["wkt"]
    np.testing.assert_allclose(about["cornerCoordinates"]["upperLeft"], [500_000.1, 4_650_000.3])
    assert about["metadata"]["HSI_XR"]["MODEL"] == "none"
    assert about["metadata"]["ENVI"]["wavelength_units"] == "Nanometers"
    assert len(about["bands"]) == 31
    for band, nm in zip(about["bands"], cube.wavelength.values):
        assert band["description"] == f"{nm:g} nm"
        assert (band["scale"], band["noDataValue"], band["unit"]) == (1e-4, -32768, "1")
        told = band["metadata"]["IMAGERY"]["CENTRAL_WAVELENGTH_UM"]
        assert float(told) == pytest.approx(nm / 1000, rel=1e-9)


def test_gdalinfo_tells_place_and_scale_of_netcdf(cube, tmp_path):
    """Wavelengths are a variable of their own, which GDAL hands to nobody's bands."""
    about = gdalinfo(hsi_xr.write(cube.reflectance[:, :60, :90], tmp_path / "cube.nc"))
    assert about["size"] == [90, 60]
    assert 'ID["EPSG",32633]' in about["coordinateSystem"]["wkt"]
    assert [band["scale"] for band in about["bands"]] == [pytest.approx(1e-4)] * 31
