"""`hsi-xr reconstruct` on every real scene that is available."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray
from rasterio.errors import NotGeoreferencedWarning
from rio_cogeo.cogeo import cog_validate

from tests.scenes import DATA, real

ABSENT = pytest.mark.skip(f"no scenes in {DATA}; set HSI_XR_DATA to the folder of the shared data")
SCENES = [pytest.param(path, id=path.name) for path in real()] or [
    pytest.param(None, marks=ABSENT, id="none")
]
WAVELENGTHS = list(range(400, 701, 10))


@pytest.fixture(autouse=True)
def expected_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # of affine, for rioxarray
        warnings.filterwarnings("ignore", "'reflectance' has values", UserWarning)  # of the model
        yield


def required_options(path: Path) -> tuple[tuple[str, ...], int, str]:
    """Returns the options that a scene requires, and exit status and error without them."""
    with rasterio.open(path) as scene:
        if scene.crs is None:
            return ("--allow-ungeoreferenced",), 3, "no coordinate reference system"
        if scene.dtypes[0] != "uint8":
            return ("--radiometry", "linear", "--input-scale", 1 / 65535), 2, "--radiometry"
    return (), 0, ""


@pytest.mark.parametrize("path", SCENES)
def test_a_real_scene_becomes_a_cube_at_its_location_or_is_refused(reconstruct, path, out):
    options, code, words = required_options(path)
    cube = out / "cube.tif"
    arguments = (path, cube, "--no-stac", "--tile", 512)
    if options:
        result = reconstruct(*arguments)
        assert (result.exit_code, result.stdout) == (code, "")
        assert words in result.stderr and result.stderr.count("\n") == 1
        assert not list(out.iterdir())
    result = reconstruct(*arguments, *options)
    assert (result.exit_code, result.stdout) == (0, f"{cube}\n")
    with rasterio.open(path) as given, rasterio.open(cube) as made:
        assert (made.shape, made.crs, made.transform) == (given.shape, given.crs, given.transform)
        np.testing.assert_array_equal(made.read_masks(1), given.dataset_mask())
        centres = [made.tags(band, ns="IMAGERY")["CENTRAL_WAVELENGTH_UM"] for band in made.indexes]
    assert [round(1000 * float(centre)) for centre in centres] == WAVELENGTHS
    bands = rioxarray.open_rasterio(cube, band_as_variable=True)
    assert [int(band.attrs["wavelength"]) for band in bands.data_vars.values()] == WAVELENGTHS
    valid, _, _ = cog_validate(cube, strict=True, quiet=True)
    assert valid
