"""Invalid pixels are filled from their surroundings, in the same way for every tile."""

import numpy as np

from hsi_xr.pipeline.fill import fill

DEFAULT = np.array([0.1, 0.2, 0.3], dtype="float32")


def _image(seed=0):
    rng = np.random.default_rng(seed)
    image = rng.random((3, 137, 153), dtype="float32") * np.linspace(0.2, 1, 153, dtype="float32")
    valid = rng.random((137, 153)) > 0.4
    valid[10:90, 30:105] = False
    return np.where(valid, image, np.nan).astype("float32"), valid


def test_valid_pixels_keep_their_values_and_all_others_are_filled():
    image, valid = _image()
    found = fill(image, valid, corner=(5, -3), default=DEFAULT)
    assert np.isfinite(found).all()
    assert (found[:, valid] == image[:, valid]).all()


def test_the_fill_does_not_depend_on_the_view():
    """As long as the view contains the surrounding square of 32 px, as it does with a halo."""
    image, valid = _image()
    whole = fill(image, valid, corner=(1005, -7), default=DEFAULT)
    part = (slice(20, 130), slice(11, 140))
    found = fill(image[:, *part], valid[part], corner=(1025, 4), default=DEFAULT)
    inner = (slice(None), slice(32, -32), slice(32, -32))
    np.testing.assert_array_equal(found[inner], whole[:, *part][inner])


def test_a_single_hole_takes_the_mean_of_its_square_on_the_absolute_grid():
    image = np.arange(3 * 4 * 6, dtype="float32").reshape(3, 4, 6)
    valid = np.ones((4, 6), dtype=bool)
    valid[1, 3] = False
    holed = np.where(valid, image, np.nan)
    square = image[:, 0:2, 2:4].reshape(3, 4)[:, :3]
    found = fill(holed, valid, corner=(64, 2), default=DEFAULT)
    np.testing.assert_allclose(found[:, 1, 3], square.mean(1))


def test_without_valid_neighbours_the_default_is_used():
    empty = np.full((3, 5, 4), np.nan, dtype="float32")
    found = fill(empty, np.zeros((5, 4), dtype=bool), corner=(0, 0), default=DEFAULT)
    np.testing.assert_array_equal(found, np.broadcast_to(DEFAULT[:, None, None], (3, 5, 4)))
