"""The demo end to end: files, scores, report, and errors before any work is done."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

import hsi_xr
from hsi_xr import demo
from hsi_xr.demo import figure
from hsi_xr.demo.demo import ENDS, FLOOR, intervals, score
from hsi_xr.demo.materials import GREY
from hsi_xr.demo.render import INSTANT, Scene, render
from hsi_xr.errors import DestinationExists, DestinationUnwritable, UsageError
from hsi_xr.evaluation.metrics import Tally

pytest.importorskip("matplotlib", reason="the demo draws figures")


@pytest.fixture(scope="module")
def shown() -> Scene:
    """The landscape in 61 x 78 pixels, of which the grey panel has a few."""
    return render(61, 78, seed=5, season="autumn", pixel=0.9)


@pytest.fixture(scope="module")
def report(shown, tmp_path_factory) -> demo.Report:
    """The report of a demo that is run once for all tests of this file."""
    return demo.run(tmp_path_factory.mktemp("demo") / "new", scene=shown)


def test_all_reported_files_exist_and_none_is_partial(report):
    folder = report.files.rgb.parent
    assert all(path.stat().st_size > 0 for path in report.files)
    names = {path.name for path in folder.iterdir()}
    assert {path.name for path in report.files} <= names
    assert not [name for name in names if ".part" in name]


def test_the_rgb_file_is_the_image_of_the_scene_on_its_grid(report, shown):
    with rasterio.open(report.files.rgb) as src:
        np.testing.assert_array_equal(src.read(), shown.rgb)
        assert src.crs.to_epsg() == 32632
        assert tuple(src.transform)[:6] == pytest.approx(shown.geotransform)
        assert src.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        assert "rendering, not an acquisition" in src.tags()["TIFFTAG_IMAGEDESCRIPTION"]


def test_scores_compare_the_written_cube_with_the_truth(report, shown):
    with rasterio.open(report.files.cube) as src:
        estimate = np.where(src.read_masks() > 0, src.read() * 1e-4, np.nan)
    expected = Tally.of(estimate, shown.truth, floor=FLOOR)
    for name in ("psnr", "mrae", "sam", "gain"):
        assert getattr(report.scores, name) == pytest.approx(getattr(expected, name), rel=1e-5)
    assert report.scores_after_gain.rmse <= report.scores.rmse
    assert report.scores_after_gain.sam == pytest.approx(report.scores.sam, rel=1e-6)


def test_the_panel_gives_the_level_that_the_image_alone_does_not(report, shown):
    x, y, size, *_ = report.files.panel.read_text("utf-8").splitlines()[1].split(",")
    calibrated = hsi_xr.open(report.files.calibrated)
    there = calibrated.hsi.spectrum(float(x), float(y), size=float(size))
    assert float(there.mean()) == pytest.approx(GREY, rel=0.02)
    row, column = shown.panel
    assert shown.truth[:, row, column].mean() > 0.8 * GREY  # its edges are in these pixels, too
    assert report.scores_with_panel.mrae < report.scores.mrae
    assert report.scores_with_panel.gain == pytest.approx(1, abs=0.2)
    assert report.level.factor[0] < report.scores.gain < report.level.factor[1]


@pytest.mark.parametrize(("seed", "season"), [(2, "spring"), (6, "autumn")])
def test_with_the_panel_the_error_is_below_a_tenth_in_any_season(seed, season, tmp_path):
    scene = render(360, 480, seed=seed, season=season, pixel=0.2)
    assert demo.run(tmp_path, scene=scene).scores_with_panel.mrae < 0.1


def test_the_item_states_that_nothing_was_acquired(report):
    properties = json.loads(report.files.item.read_text("utf-8"))["properties"]
    assert properties["datetime"] == INSTANT.isoformat().replace("+00:00", "Z")
    assert "not an acquisition" in properties["description"]
    assert "rendered" in properties["title"]


def test_the_item_links_the_thumbnail_and_the_rgb(report):
    item = json.loads(report.files.item.read_text("utf-8"))
    assert item["assets"]["thumbnail"]["href"].endswith(report.files.thumbnail.name)
    assert "reflectance" in item["assets"]
    derived = [link["href"] for link in item["links"] if link["rel"] == "via"]
    assert [Path(href).name for href in derived] == [report.files.rgb.name]


def test_the_text_reports_sizes_speed_scores_and_files(report):
    text = report.text()
    for expected in (
        "61 x 78 px",
        "Mpx/s",
        "deg between estimated and true spectra",
        "with a grey panel in the image",
        "from the image alone",
        "is a guess",
        str(report.level),
        "31 bands",
        report.model,
    ):
        assert expected in text
    for path in report.files:
        assert str(path) in text
    assert max(len(line) for line in text.splitlines()) < 200


def test_the_lines_of_python_give_the_same_cube(report, monkeypatch, tmp_path):
    again = tmp_path / "again.tif"
    exec(report.python().replace(str(report.files.cube), str(again)), {})
    with rasterio.open(again) as src, rasterio.open(report.files.cube) as before:
        np.testing.assert_allclose(src.read(), before.read(), atol=1)


def test_existing_files_are_not_replaced_by_default(report, shown):
    folder = report.files.rgb.parent
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(DestinationExists, match="overwrite"):
        demo.run(folder, scene=shown)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_files_are_replaced_with_overwrite_and_progress_is_reported(shown, tmp_path):
    calls = []
    (tmp_path / "demo_rgb.tif").write_text("an earlier demo")
    (tmp_path / "demo_hsi.tif").write_text("an earlier demo")
    report = demo.run(
        tmp_path, overwrite=True, scene=shown, progress=lambda *now: calls.append(now)
    )
    assert calls[-1] == (61 * 78, 61 * 78)
    with rasterio.open(report.files.cube) as src:
        assert src.count == 31


def test_without_matplotlib_the_error_names_the_extra_before_any_work(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"hsi-xr\[viz\]"):
        demo.run(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_file_instead_of_a_folder_is_refused(tmp_path, shown):
    (tmp_path / "taken").write_text("not a folder")
    with pytest.raises(DestinationUnwritable, match="taken"):
        demo.run(tmp_path / "taken", scene=shown)
    assert (tmp_path / "taken").read_text() == "not a folder"


def test_the_interval_at_a_place_equals_that_of_the_complete_cube(report, shown):
    """Only the tiles around the places are computed, which must not change the result."""
    places = {"corner": (2, 3), "middle": (30, 41)}
    ends_at = intervals(report.files.rgb, places)
    rgb = hsi_xr.open(report.files.rgb)
    survey = hsi_xr.survey(rgb[:, ::3, ::3])
    whole = hsi_xr.reconstruct(rgb, quantiles=ENDS, survey=survey, tile=64)
    for name, (row, column) in places.items():
        low, high = ends_at[name]
        assert (low >= 0).all() and (low < high).all()
        for end, expected in (("q05", low), ("q95", high)):
            found = whole[f"reflectance_{end}"][:, row, column]
            np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)


def test_scores_of_strips_equal_those_of_the_whole_cube(shown):
    estimate = shown.truth + np.float32(0.01) * shown.truth[::-1]
    tall = np.concatenate([shown.truth, shown.truth[:, ::-1]], axis=1)  # more than one strip
    guess = np.concatenate([estimate, estimate[:, ::-1]], axis=1)
    whole = Tally.of(guess, tall, floor=FLOOR)
    assert score(guess, tall).mrae == pytest.approx(whole.mrae, rel=1e-12)
    assert score(guess, tall).psnr == pytest.approx(whole.psnr, rel=1e-12)


def test_false_colour_depends_on_spectral_shape_and_not_on_exposure(shown):
    nm = list(range(400, 701, 10))
    image = figure.false_colour(shown.truth, nm)
    assert image.shape == (61, 78, 3)
    assert image.min() >= 0
    assert image.max() <= 1
    brighter = figure.false_colour(shown.truth.astype(float) * 1.3, nm)
    assert np.abs(image - brighter).mean() < 0.01  # the floor of the ratios is absolute
    with_gap = shown.truth.copy()
    with_gap[:, 4:7, 9] = np.nan
    assert (figure.false_colour(with_gap, nm)[4:7, 9] == 0).all()


def test_importing_the_demo_loads_no_heavy_packages():
    import subprocess

    code = (
        "import sys, hsi_xr.demo\n"
        "sys.exit(' '.join({'torch', 'rasterio', 'pystac', 'matplotlib'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stderr.strip() == ""
    assert hsi_xr.__version__
