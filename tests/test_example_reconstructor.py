"""The example package is installed by pip, and runs in Python and on the command line."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from hsi_xr.checkpoints.registry import GROUP
from tests.scenes import rgb_image, save

ROOT = Path(__file__).parents[1]
ABSENT = [name for name in ("pip", "hatchling") if find_spec(name) is None]

pytestmark = pytest.mark.skipif(
    bool(ABSENT), reason=f"pip builds without an index only where there is {' and '.join(ABSENT)}"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the package as installed by pip, and a model written by its command."""
    folder = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "example"
    shutil.copytree(ROOT / "plugins/example_reconstructor", source)
    _run("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--target", folder, source)  # fmt: skip
    _run("-m", "hsi_xr_smooth_inverse", folder / "smooth.safetensors", path=folder)
    return folder


def _run(*arguments, path: Path | None = None, cwd: Path | None = None) -> str:
    """Run a new interpreter with this checkout and, if given, the installed package."""
    found = os.pathsep.join(map(str, [*([path] if path else []), ROOT]))
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": found},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pip_installs_one_module_and_one_entry_point(site):
    assert (site / "hsi_xr_smooth_inverse.py").is_file()
    (found,) = distributions(path=[str(site)])
    (point,) = found.entry_points
    assert (point.group, point.name, point.value) == (
        *(GROUP, "smooth-inverse"),
        "hsi_xr_smooth_inverse",
    )


def test_straight_spectra_are_kept_and_colours_are_nearly_kept(site):
    """Straight spectra have no cost; the output has nearly the colours of the input."""
    code = """
import torch, hsi_xr
from hsi_xr.camera.operator import Camera
from hsi_xr.reconstructors import SceneWindows
from hsi_xr_smooth_inverse import build
model = build({"bands": 31})
camera = Camera(model.response)
spectra = torch.stack([torch.full((31,), 0.3), torch.linspace(0.1, 0.7, 31)])[:, :, None, None]
rgb = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
def answer(rgb): return model.whole(SceneWindows.entire(rgb), None)[0]
torch.testing.assert_close(answer(camera.project(spectra)), spectra, atol=1e-5, rtol=0)
assert (camera.project(answer(rgb)) - rgb).abs().max() < 0.02
"""
    _run("-c", code, path=site)


def test_a_geotiff_is_reconstructed_in_python_and_by_the_command(site, tmp_path):
    save(tmp_path / "scene.tif", rgb_image(61, 83))
    python = """
import hsi_xr
scene = hsi_xr.open("scene.tif")
cube = scene.hsi.reconstruct(model=MODEL)["reflectance"]
tiled = scene.hsi.reconstruct(model=MODEL, tile=32)["reflectance"]
assert float(abs(cube - tiled).max()) < 1e-6
assert cube.shape == (31, 61, 83), cube.sizes
hsi_xr.write(scene.hsi.reconstruct(model=MODEL), "python.tif")
"""
    model = site / "smooth.safetensors"
    _run("-c", f"MODEL = {str(model)!r}\n{python}", path=site, cwd=tmp_path)
    _run("-m", "hsi_xr", "reconstruct", "scene.tif", "command.tif", "--model", model,
         "--datetime", "2026-05-04T10:30:00Z", path=site, cwd=tmp_path)  # fmt: skip
    import rasterio

    with rasterio.open(tmp_path / "python.tif") as a, rasterio.open(tmp_path / "command.tif") as b:
        assert a.count == 31 and a.crs == "EPSG:32633"
        np.testing.assert_array_equal(a.read(), b.read())
