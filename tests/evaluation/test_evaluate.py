"""Models on data sets: scores of the results of `reconstruct`, and reports with their protocol."""

import csv
import hashlib
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.band_grid import Bands
from hsi_xr.datasets._base import Pair
from hsi_xr.errors import (
    BandMismatch,
    InvalidData,
    MissingWeights,
    UnknownName,
    UnreadableFile,
    UsageError,
)
from hsi_xr.evaluation import metrics
from hsi_xr.evaluation.by_band import ssim
from hsi_xr.evaluation.evaluate import evaluate
from hsi_xr.evaluation.result import Evaluation
from hsi_xr.evaluation.rgb_error import back_projected
from tests.evaluation.pairs import Pairs


@pytest.fixture
def model(slope):
    """A model that is fast and inaccurate."""
    return slope()


def cube_of(model, pair: Pair, **options) -> np.ndarray:
    image = xr.DataArray(pair.rgb, dims=("band", "y", "x"))
    cube = hsi_xr.reconstruct(image, model, scale=1, allow_ungeoreferenced=True, **options)
    return cube["reflectance"].values


@pytest.mark.parametrize("coding", ["linear", "srgb"])
def test_scores_are_those_of_the_results_of_reconstruct(model, coding):
    data = Pairs(coding=coding)
    result = evaluate([model], {"toy": data}, floor=0.05)
    assert [(i.data, i.model, i.name) for i in result.images] == [
        ("toy", "slope", "b"), ("toy", "slope", "c"),
    ]  # fmt: skip
    for image in result.images:
        pair = data.read(image.name)
        cube = cube_of(model, pair, radiometry=coding)
        assert image.scores["mrae"] == metrics.mrae(cube, pair.cube, floor=0.05)
        assert image.scores["sam"] == metrics.sam(cube, pair.cube)
        assert image.scores["ssim"] == ssim(cube, pair.cube)
    (mean,) = result.means
    assert mean.scores["psnr"] == np.mean([image.scores["psnr"] for image in result.images])
    assert mean.images == 2


def test_the_crop_applies_to_the_cube_of_the_entire_image(model):
    data = Pairs(shape=(261, 270))
    (image, _) = evaluate([model], {"toy": data}, crop="ntire").images
    pair = data.read("b")
    inside = (slice(None), slice(128, -128), slice(128, -128))
    cube = cube_of(model, pair, radiometry="linear")
    assert image.scores["rmse"] == metrics.rmse(cube[inside], pair.cube[inside])
    with pytest.raises(InvalidData, match="40 x 53 px"):
        evaluate([model], {"toy": Pairs()}, crop="ntire")


def test_scale_gain_multiplies_each_estimate_by_one_factor(model):
    unscaled, scaled = (evaluate([model], {"toy": Pairs()}, scale=s) for s in ("none", "gain"))
    for before, after in zip(unscaled.images, scaled.images):
        assert before.scores["gain"] == after.scores["gain"] != pytest.approx(1, abs=0.05)
        assert after.scores["rmse"] < before.scores["rmse"]
        assert after.scores["sam"] == pytest.approx(before.scores["sam"])


def test_every_model_is_scored_on_every_data_set_and_images_are_read_once(slope):
    data = {"one": Pairs(), "two": Pairs(splits={"test": ["x"]})}
    models = [slope(), slope(name="shifted", pull=0.5)]
    images = []
    result = evaluate(models, data, on_image=images.append)
    assert [(m.data, m.model, m.images) for m in result.means] == [
        ("one", "slope", 2), ("one", "shifted", 2), ("two", "slope", 1), ("two", "shifted", 1),
    ]  # fmt: skip
    assert data["one"].reads == ["b", "c"]
    assert [scored.image for scored in images] == list(result.images)
    assert all(scored.estimate.shape == scored.truth.shape == (31, 40, 53) for scored in images)


def test_common_bands_are_scored_and_reported(model):
    """The bands of Harvard are 420 to 720 nm."""
    data = Pairs(bands=Bands.regular(420, 720, 10))
    result = evaluate([model], {"toy": data})
    assert result.images[0].bands == tuple(range(420, 701, 10))
    pair = data.read("b")
    expected = metrics.mrae(cube_of(model, pair, radiometry="linear")[2:], pair.cube[:29])
    assert result.images[0].scores["mrae"] == expected
    assert "29, 420-700 nm" in result.markdown()


CURVES = np.exp(-(((np.arange(420, 721, 10) - np.array([[610], [540], [460]])) / 45) ** 2))
"""(3, 31) over 420 to 720 nm."""


@pytest.mark.parametrize("scale", ["none", "gain"])
def test_rgb_errors_are_computed_over_the_common_bands(model, scale):
    data = Pairs(bands=Bands.regular(420, 720, 10))
    result = evaluate([model], {"toy": data}, camera=CURVES, floor=0.3, scale=scale)
    for image in result.images:
        pair = data.read(image.name)
        cube = cube_of(model, pair, radiometry="linear")[2:]
        cube = cube * (image.scores["gain"] if scale == "gain" else 1)
        both = (cube, pair.cube[:29], CURVES[:, :29])
        assert image.scores["bpmrae"] == pytest.approx(back_projected(*both, floor=0.3), rel=1e-6)
        assert image.scores["bpmrae"] != pytest.approx(back_projected(*both), rel=1e-3)


@pytest.fixture
def camera(tmp_path) -> Path:
    """A file in the format of rawtoaces-data: the curves, and values beyond the bands."""
    rows = {str(nm): list(row) for nm, row in zip(range(420, 721, 10), CURVES.T)}
    path = tmp_path / "curves.json"
    rows = {"380": [9, 9, 9], **rows, "780": [0, 0, 0]}
    path.write_text(json.dumps({"spectral_data": {"data": {"main": rows}}}))
    return path


def test_a_camera_file_gives_the_scores_of_its_values_and_is_reported(model, camera):
    data = {"toy": Pairs(bands=Bands.regular(420, 720, 10))}
    from_file, from_array = (evaluate([model], data, camera=c) for c in (camera, CURVES))
    assert from_file.means[0].scores["bpmrae"] == pytest.approx(
        from_array.means[0].scores["bpmrae"], rel=1e-6
    )
    sha256 = hashlib.sha256(camera.read_bytes()).hexdigest()
    report = json.loads(from_file.json())
    assert report["protocol"]["camera"] == {"name": "curves.json", "sha256": sha256}
    assert report["images"][1]["bpmrae"] == from_file.images[1].scores["bpmrae"]
    assert report["means"][0]["bpmrae"] == from_file.means[0].scores["bpmrae"]
    assert "Arad et al. 2020" in report["scores"]["bpmrae"]
    (row,) = csv.DictReader(io.StringIO(from_file.csv()))
    assert float(row["bpmrae"]) == from_file.means[0].scores["bpmrae"]
    assert (row["camera"], row["camera_sha256"]) == ("curves.json", sha256)
    text = from_file.markdown()
    assert "| BPMRAE |" in text and f"camera curves.json, sha256 {sha256}" in text
    assert "camera as numbers, sha256" in from_array.markdown()


def test_without_a_camera_there_is_no_rgb_error(result):
    for text in (result.markdown(), result.csv(), result.json()):
        assert "bpmrae" not in text.lower()
    assert json.loads(result.json())["protocol"]["camera"] is None


class Incomplete(Pairs):
    """Image "b" has no values in its first `missing` bands and in some pixels."""

    missing: int = 0

    def read(self, name: str) -> Pair:
        pair = super().read(name)
        if name == "b":
            pair.cube[: self.missing] = np.nan
            pair.cube[:, :, :9] = np.nan
        return pair


def test_bands_that_a_cube_lacks_are_not_scored_for_it(model):
    data = Incomplete()
    data.missing = 4
    result = evaluate([model], {"toy": data})
    short, full = result.images
    assert short.bands == tuple(range(440, 701, 10)) and len(full.bands) == 31
    pair = data.read("b")
    cube = cube_of(model, pair, radiometry="linear")
    assert short.scores["mrae"] == metrics.mrae(cube[4:], pair.cube[4:])
    assert math.isfinite(result.means[0].scores["mrae"]) and len(result.means[0].bands) == 31
    assert len(json.loads(result.json())["images"][0]["bands_nm"]) == 27
    assert "toy, model slope: 27 to 31 bands per image" in result.markdown()


def test_an_image_without_the_bands_of_a_channel_has_no_rgb_error(model):
    data, curves = Incomplete(), np.ones((3, 31))
    data.missing = 4
    curves[2, 4:] = 0
    result = evaluate([model], {"toy": data}, camera=curves)
    short, full = (image.scores["bpmrae"] for image in result.images)
    assert math.isnan(short) and result.means[0].scores["bpmrae"] == full > 0
    assert "means over fewer than 2 images: BPMRAE 1" in result.markdown()


def test_nodata_of_the_image_is_nodata_for_the_model(model):
    class Partial(Pairs):
        def read(self, name: str) -> Pair:
            pair = super().read(name)
            pair.rgb[:, :5], pair.cube[:, :5] = np.nan, np.nan
            return pair

    images = []
    evaluate([model], {"toy": Partial()}, on_image=images.append)
    for scored in images:
        assert np.isnan(scored.rgb[:, :5]).all() and np.isnan(scored.estimate[:, :5]).all()
        assert np.isfinite(scored.estimate[:, 5:]).all()


def test_a_cube_with_few_bands_or_without_a_valid_pixel_is_refused(model):
    data = Incomplete()
    data.missing = 16
    with pytest.raises(BandMismatch, match=r"toy: 'b'.*15 bands in common"):
        evaluate([model], {"toy": data})
    data.missing = 31
    with pytest.raises(InvalidData, match="toy: 'b' has no valid pixel"):
        evaluate([model], {"toy": data})

    class Patchy(Pairs):
        def read(self, name: str) -> Pair:
            pair = super().read(name)
            pair.cube[3, :20], pair.cube[4, 20:] = np.nan, np.nan
            return pair

    with pytest.raises(InvalidData, match="toy: 'b' has no pixel to score"):
        evaluate([model], {"toy": Patchy()})


def test_invalid_arguments_are_refused_before_an_image_is_read(model, slope):
    data, problems = Pairs(), {"test": ["'b' is truncated"]}
    harvard, blind = Bands.regular(420, 720, 10), np.array(CURVES)
    blind[2, :29] = 0
    refused = [
        (UnknownName, "did you mean", {"models": ["defalt"]}),
        (MissingWeights, "import", {"models": ["awan"]}),
        (UsageError, "two models", {"models": [model, model]}),
        (UsageError, "at least one", {"models": []}),
        (UsageError, "at least one", {"datasets": {}}),
        (UnknownName, "known: train, test", {"split": "validation"}),
        (UnknownName, "ntire", {"crop": "centre"}),
        (UnknownName, "gain", {"scale": "best"}),
        (UsageError, "floor", {"floor": float("nan")}),
        (UsageError, "floor", {"floor": math.inf}),
        (UsageError, "samples", {"samples": 0}),
        (UsageError, "samples", {"samples": 1.5}),
        (UsageError, "seed", {"seed": -1}),
        (UsageError, "seed", {"seed": 2**64}),
        (UnknownName, "device", {"device": "abacus"}),
        (
            BandMismatch,
            "0 bands in common",
            {"datasets": {"toy": replace(data, bands=Bands.regular(453.5, 648, 7.2))}},
        ),
        (UsageError, r"\(3, 31\) sensitivities.*got \(3, 30\)", {"camera": CURVES[:, 1:]}),
        (UnreadableFile, "check the path", {"camera": "nowhere.json"}),
        (
            BandMismatch,
            "no response in blue over the 29 bands that slope and toy have",
            {"datasets": {"toy": replace(data, bands=harvard)}, "camera": blind},
        ),
        (
            InvalidData,
            "'b' is truncated",
            {"datasets": {"toy": replace(data, file_problems=problems)}},
        ),
    ]
    for error, words, changes in refused:
        arguments = {"models": [model], "datasets": {"toy": data}} | changes
        with pytest.raises(error, match=words):
            evaluate(arguments.pop("models"), arguments.pop("datasets"), **arguments)
    assert data.reads == []


def test_files_of_other_splits_need_not_exist(model):
    data = Pairs(file_problems={"train": ["'a' is missing"]})
    assert len(evaluate([model], {"toy": data}).images) == 2


def test_an_image_of_another_size_than_its_cube_is_refused(model):
    class Shifted(Pairs):
        def read(self, name: str) -> Pair:
            pair = super().read(name)
            return replace(pair, rgb=pair.rgb[:, 1:])

    with pytest.raises(InvalidData, match=r"toy: 'b'.*\(3, 39, 53\)"):
        evaluate([model], {"toy": Shifted()})


@pytest.fixture
def result(model) -> Evaluation:
    data = {"toy": Pairs(), "a|b": Pairs(splits={"test": ["x"]}, coding="srgb")}
    return evaluate([model], data, seed=7, device="cpu", options={"toy": {"camera": "cie"}})


def test_the_table_includes_the_protocol(result, model):
    text = result.markdown()
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "..").count("|") for line in table}) == 1
    assert len({len(line) for line in table}) == 1
    assert "| toy" in table[2] and f"{result.means[0].scores['mrae']:.4f}" in table[2]
    sha = json.loads(model.with_suffix(".json").read_text())["sha256"]
    for fact in ("split test", "crop none", "scale none", "seed 7", "samples 1", "device cpu", sha,
                 "camera=cie", "RGB srgb", hsi_xr.__version__):  # fmt: skip
        assert fact in text


def test_csv_rows_contain_protocol_and_scores(result):
    rows = list(csv.DictReader(io.StringIO(result.csv())))
    assert [row["data"] for row in rows] == ["toy", "a|b"]
    assert float(rows[0]["psnr"]) == result.means[0].scores["psnr"]
    assert [rows[0][k] for k in ("split", "crop", "scale", "seed", "samples", "device")] == [
        "test", "none", "none", "7", "1", "cpu",
    ]  # fmt: skip
    assert (rows[0]["options"], rows[1]["coding"]) == ("camera=cie", "srgb")


def test_json_contains_every_image_and_score_definition(result):
    report = json.loads(result.json())
    assert [entry["image"] for entry in report["images"]] == ["b", "c", "x"]
    assert report["images"][1]["sam"] == result.images[1].scores["sam"]
    assert set(report["scores"]) <= set(report["means"][0])
    assert report["protocol"]["data"][0]["options"] == {"camera": "cie"}
    assert report["protocol"]["models"][0]["label"] == "slope"


def test_an_undefined_score_is_omitted_from_the_mean(result):
    first, second, third = result.images
    black = replace(first, scores={**first.scores, "mrae": math.nan, "psnr": math.inf})
    changed = replace(result, images=(black, second, third))
    assert changed.means[0].scores["mrae"] == second.scores["mrae"]
    report = json.loads(changed.json())
    assert report["images"][0]["mrae"] == "nan" and report["means"][0]["psnr"] == "inf"


def test_a_mean_over_fewer_images_is_reported(result):
    first, second, third = result.images
    black = replace(first, scores={**first.scores, "mrae": math.nan, "ssim": math.nan})
    changed = replace(result, images=(black, second, third))
    line = "- data toy, model slope: means over fewer than 2 images: MRAE 1, SSIM 1"
    assert line in changed.markdown().splitlines()
    assert "fewer" not in result.markdown()
    means = json.loads(changed.json())["means"]
    assert [mean["fewer_images"] for mean in means] == [{"mrae": 1, "ssim": 1}, {}]
    rows = csv.DictReader(io.StringIO(changed.csv()))
    assert [row["fewer_images"] for row in rows] == ["mrae=1 ssim=1", ""]
