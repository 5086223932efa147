"""Holes are filled from around them."""

import numpy as np

from hsi_xr.raster.fill import filled


def _image(seed=0):
    rng = np.random.default_rng(seed)
    image = rng.random((3, 37, 53), dtype="float32") * np.linspace(0.2, 1, 53, dtype="float32")
    valid = rng.random((37, 53)) > 0.4
    valid[10:20, 30:45] = False
    return np.where(valid, image, np.nan).astype("float32"), valid


def test_valid_pixels_are_kept_and_no_hole_is_left():
    image, valid = _image()
    found = filled(image, valid)
    assert np.isfinite(found).all()
    assert (found[:, valid] == image[:, valid]).all()


def test_a_fill_lies_within_the_range_of_the_valid():
    image, valid = _image()
    found = filled(image, valid)
    assert found.min() >= np.nanmin(image) and found.max() <= np.nanmax(image)


def test_a_single_hole_takes_the_mean_of_its_square():
    image = np.arange(2 * 4 * 6, dtype="float32").reshape(2, 4, 6)
    valid = np.ones((4, 6), dtype=bool)
    valid[1, 3] = False
    holed = np.where(valid, image, np.nan)
    square = image[:, 0:2, 2:4].reshape(2, 4)
    np.testing.assert_allclose(filled(holed, valid)[:, 1, 3], square[:, :3].mean(1))


def test_nothing_valid_gives_zero():
    empty = np.full((3, 5, 4), np.nan, dtype="float32")
    assert (filled(empty, np.zeros((5, 4), dtype=bool)) == 0).all()
