"""An older GDAL, that of the operating system, reports what products state."""

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
def test_gdalinfo_reports_georeference_bands_and_provenance(products, cube, name):
    report = gdalinfo(products / name)
    assert report["size"] == [cube.sizes["x"], cube.sizes["y"]]
    assert 'ID["EPSG",32633]' in report["coordinateSystem"]["wkt"]
    np.testing.assert_allclose(report["cornerCoordinates"]["upperLeft"], [500_000.1, 4_650_000.3])
    assert report["metadata"]["HSI_XR"]["MODEL"] == "none"
    assert report["metadata"]["ENVI"]["wavelength_units"] == "Nanometers"
    assert len(report["bands"]) == 31
    for band, nm in zip(report["bands"], cube.wavelength.values):
        assert band["description"] == f"{nm:g} nm"
        assert (band["scale"], band["noDataValue"], band["unit"]) == (1e-4, -32768, "1")
        centre = band["metadata"]["IMAGERY"]["CENTRAL_WAVELENGTH_UM"]
        assert float(centre) == pytest.approx(nm / 1000, rel=1e-9)


def test_gdalinfo_reports_georeference_and_scale_of_netcdf(cube, tmp_path):
    """Wavelengths are a variable of their own, which GDAL does not assign to bands."""
    report = gdalinfo(hsi_xr.write(cube.reflectance[:, :60, :90], tmp_path / "cube.nc"))
    assert report["size"] == [90, 60]
    assert 'ID["EPSG",32633]' in report["coordinateSystem"]["wkt"]
    assert [band["scale"] for band in report["bands"]] == [pytest.approx(1e-4)] * 31
