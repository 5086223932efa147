"""Plots show the values of the cube."""

import sys

import numpy as np
import pytest
from affine import Affine

from hsi_xr.errors import UsageError
from hsi_xr.level_interval import LevelInterval
from tests.analysis.cubes import shuffled
from tests.calibration.ground import CENTRES, GRID, cube

pytest.importorskip("matplotlib", reason="plots need matplotlib")


@pytest.fixture
def ax():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def test_a_spectrum_is_a_line_and_its_deviation_a_band(ax):
    dataset = shuffled(cube(chunks={"y": 20}))
    dataset["reflectance_std"] = dataset["reflectance"] / 20
    expected = cube()["reflectance"].isel(y=3, x=70).values
    assert dataset.hsi.plot.spectrum(*(GRID @ (70.5, 3.5)), ax=ax, label="lawn") is ax
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xydata(), np.stack([CENTRES, expected]).T)
    (band,) = ax.collections
    edges = band.get_paths()[0].vertices
    assert np.isclose(edges[:, 1].max(), (expected * (1 + 1.645 / 20)).max())
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["lawn", "± 1.645 standard deviations"]
    assert ax.get_title() == "model estimate, not a measurement"


@pytest.mark.parametrize("size", [None, 2.0])
@pytest.mark.parametrize("in_attributes", [False, True])
def test_the_level_is_one_error_bar_beside_the_interval_of_the_quantiles(ax, in_attributes, size):
    dataset = cube(chunks={"y": 20})
    dataset["reflectance_q05"] = 0.8 * dataset["reflectance"]
    dataset["reflectance_q95"] = 1.5 * dataset["reflectance"]
    level = LevelInterval(gain=2.0, low=1.0, high=4.0)
    dataset = (
        dataset.assign_attrs(level.attributes) if in_attributes else dataset.assign(level.scalars)
    )
    for column in (60.5, 70.5):
        dataset.hsi.plot.spectrum(*(GRID @ (column, 3.5)), ax=ax, size=size)
    first, bar = ax.lines[0], ax.containers[0]
    ends = bar.lines[2][0].get_segments()[0][:, 1]
    np.testing.assert_allclose(ends, first.get_ydata()[-1] * np.array([0.5, 2.0]), rtol=1e-5)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names.count("90 % interval given the level") == 1
    assert names.count("90 % interval of the level") == 1


def test_the_axis_grows_with_a_brighter_spectrum(ax):
    dataset = cube()
    dataset["reflectance"][:, 3, 70] *= 4
    for column in (60.5, 70.5):
        dataset.hsi.plot.spectrum(*(GRID @ (column, 3.5)), ax=ax)
    low, high = ax.get_ylim()
    assert low == 0 and high >= dataset["reflectance"][:, 3, 70].max()


def test_the_rgb_plot_has_the_extent_of_the_cube_and_transparent_nodata(ax):
    dataset = cube(chunks={"y": 20})
    dataset["reflectance"].hsi.plot.rgb(ax=ax)
    (image,) = ax.images
    pixels = image.get_array()
    assert pixels.shape == (61, 83, 4) and 0 <= pixels.min() < 0.2 < 0.9 < pixels.max() <= 1
    known = dataset["reflectance"].notnull().all("band").values
    np.testing.assert_array_equal(pixels[..., 3] == 1, known)
    left, right, bottom, top = image.get_extent()
    np.testing.assert_allclose((left, top), GRID @ (0, 0))
    np.testing.assert_allclose((right, bottom), GRID @ (83, 61))
    assert "650, 550, 450 nm" in ax.get_title()


def test_grey_stays_grey_and_brightness_does_not_matter(ax):
    dataset = cube()
    level = dataset["reflectance"].isel(band=0, drop=True)
    dataset["reflectance"] = dataset["reflectance"] * 0 + level
    dataset.hsi.plot.rgb(ax=ax)
    (dataset * 3).assign_attrs(dataset.attrs).hsi.plot.rgb(ax=ax)
    first, second = (image.get_array() for image in ax.images)
    np.testing.assert_allclose(first[..., 0], first[..., 2])
    np.testing.assert_allclose(first, second, atol=1e-5)


@pytest.mark.parametrize("chunks", [None, {"y": 20}])
def test_a_map_has_the_values_extent_and_colour_scale_of_the_array(ax, chunks):
    dataset = cube(chunks=chunks)
    angles = dataset.hsi.sam(dataset["reflectance"].isel(y=3, x=70), degrees=True)
    assert angles.hsi.plot.map(ax=ax) is ax
    (image,) = ax.images
    pixels = image.get_array()
    np.testing.assert_allclose(pixels.filled(np.nan), angles)
    assert image.get_clim() == pytest.approx(np.percentile(pixels.compressed(), (2, 98)))
    np.testing.assert_allclose(image.get_extent()[:2], (GRID.c, GRID.c + 83 * GRID.a))
    assert ax.get_title() == "from a model estimate, not a measurement"
    assert image.colorbar.ax.get_ylabel() == "spectral angle (degree)"
    assert ax.get_xlabel() == "x (metre)"


def test_a_single_row_has_its_extent(ax):
    dataset = cube()
    dataset.isel(y=slice(3, 4)).hsi.plot.rgb(ax=ax)
    left, right, bottom, top = ax.images[0].get_extent()
    np.testing.assert_allclose((left, top), GRID @ (0, 3))
    np.testing.assert_allclose((right, bottom), GRID @ (83, 4))


def test_a_rotated_grid_is_plotted_without_axes(ax):
    cube(transform=GRID @ Affine.rotation(20)).hsi.plot.rgb(ax=ax)
    assert not ax.axison


def test_a_map_of_a_stack_is_refused(ax):
    dataset = cube()
    stacked = dataset.hsi.sam(dataset["reflectance"].isel(y=3, x=[70, 71]).rename(x="spectrum"))
    with pytest.raises(UsageError, match=r"array\.isel\(spectrum=0\)"):
        stacked.hsi.plot.map(ax=ax)
    stacked.isel(spectrum=1).hsi.plot.map(ax=ax)
    dataset["reflectance"].isel(band=15).hsi.plot.map(ax=ax)
    assert ax.get_title().startswith("550 nm\n")


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"hsi-xr\[viz\]"):
        cube().hsi.plot.rgb()
