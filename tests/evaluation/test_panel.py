"""The figure of a scored image: its pixels, its errors, and that it is drawn."""

from dataclasses import replace

import numpy as np
import pytest

from hsi_xr.evaluation import panel
from hsi_xr.evaluation.evaluate import ScoredImage
from hsi_xr.evaluation.result import Image
from hsi_xr.evaluation.scores import COLUMNS
from tests.evaluation.pairs import Pairs


@pytest.fixture
def scored() -> ScoredImage:
    """A scored image with errors from 1 % in the west to 53 % in the east, equal in all rows."""
    pair = Pairs().read("b")
    share = 1 + 0.01 * np.arange(1, 54)
    image = Image("toy", "slope", "b", Pairs().bands.centres, dict.fromkeys(COLUMNS, 0.5))
    whole = (slice(0, 40), slice(0, 53))
    return ScoredImage(image, pair.rgb, "linear", pair.cube * share, pair.cube, whole)


def test_errors_are_means_over_bands_where_they_are_defined(scored):
    scored.truth[0, 3, 4] = 0
    scored.truth[:, 5, 6] = 0
    scored.truth[2, 7, 8] = np.nan
    errors = panel.relative_errors(scored)
    expected = np.broadcast_to(0.01 * np.arange(1, 54), (40, 53)).copy()
    expected[5, 6] = np.nan
    np.testing.assert_allclose(errors, expected, rtol=1e-4)


def test_selected_pixels_have_percentiles_of_the_error_within_the_crop(scored):
    errors = panel.relative_errors(scored)
    errors[10, 20] = np.nan
    crop = (slice(8, 30), slice(10, 31))
    places = panel.pixels_at(errors, crop)
    assert all(8 <= row < 30 and 10 <= column < 31 for row, column in places)
    selected = [errors[place] for place in places]
    assert selected == pytest.approx(np.nanpercentile(errors[crop], [10, 50, 90]), abs=0.005)
    assert panel.pixels_at(np.full((40, 53), np.nan), crop) == []


@pytest.mark.parametrize("crop", [(slice(0, 40), slice(0, 53)), (slice(8, 30), slice(10, 31))])
@pytest.mark.parametrize("gap", ["none", "a corner", "all"])
def test_the_figure_is_drawn_in_spite_of_nodata(scored, tmp_path, crop, gap):
    matplotlib_image = pytest.importorskip("matplotlib.image", reason="figures need matplotlib")
    cube = scored.truth.copy()
    if gap == "a corner":
        cube[:, :12, :12] = np.nan
    elif gap == "all":
        cube[:] = np.nan
    panel.draw(replace(scored, truth=cube, crop=crop), tmp_path / "page.png")
    page = matplotlib_image.imread(tmp_path / "page.png")
    assert page.shape[1] == 1600
    assert len(np.unique(page.reshape(-1, page.shape[-1]), axis=0)) > 200


@pytest.mark.parametrize(
    ("share", "text"), [(0.0123, "1.2 %"), (0.0997, "10 %"), (0.996, "100 %"), (3.42, "340 %")]
)
def test_percentages_have_two_significant_digits(share, text):
    assert panel.percent(share) == text
