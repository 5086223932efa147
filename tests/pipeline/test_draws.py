"""Joint draws: the same wherever they are computed, in agreement with the summaries."""

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.band_grid import Bands
from hsi_xr.camera.spectral_response import SpectralResponse
from hsi_xr.errors import UsageError
from hsi_xr.reconstructors._joint_draws import draw_level_factors
from tests.scenes import CAMERA, ground, photographed, scene

REFLECTANCE = {"radiometry": "reflectance", "scale": 1.0}
KINDS = {
    "display": {},
    "camera unknown": REFLECTANCE,
    "camera known": {**REFLECTANCE, "camera": CAMERA},
    "sensor": {**REFLECTANCE, "camera": "sentinel-2a"},
}


def _image(kind, rows=61, columns=83):
    if kind == "display":
        return scene(rows, columns, chunks=None)
    if kind == "sensor":
        grid = Bands.regular(400, 700, 10)
        response = SpectralResponse.of("sentinel-2a", grid)
        pixels = np.einsum("cb,byx->cyx", response.curves, ground(rows, columns))
        image = scene(rows, columns, chunks=None)
        coords = {name: image.coords[name] for name in ("y", "x", "spatial_ref")}
        names = {"band": list(response.channels)}
        return xr.DataArray(pixels.astype("float32"), coords | names, ("band", "y", "x"))
    return photographed(ground(rows, columns), chunks=None)


def _draw(image, samples=3, **options):
    return hsi_xr.reconstruct(image, samples=samples, draws=True, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_draws_depend_neither_on_tiles_nor_chunks_nor_batches_nor_area(kind):
    image, options = _image(kind), KINDS[kind]
    survey = hsi_xr.survey(image, exact=True, **options)
    whole = _draw(image, survey=survey, **options)
    assert whole.reflectance.dims == ("sample", "band", "y", "x")
    tiled = _draw(image.chunk(y=17, x=29), survey=survey, tile=24, batch=3, **options)
    assert tiled.reflectance.chunks[0] == (3,)
    xr.testing.assert_allclose(tiled.compute(), whole, rtol=1e-4, atol=1e-5)
    part = {"y": slice(11, 50), "x": slice(7, 71)}
    cut = _draw(image.isel(part), survey=survey, **options)
    np.testing.assert_allclose(cut.reflectance, whole.reflectance.isel(part), rtol=1e-4, atol=1e-5)


def test_equal_seeds_give_equal_draws_and_more_samples_the_same_first_ones():
    image = _image("display")
    three, two, other = _draw(image), _draw(image, samples=2), _draw(image, seed=1)
    np.testing.assert_array_equal(two.reflectance, three.reflectance[:2])
    np.testing.assert_array_equal(two.level_factor, three.level_factor[:2])
    assert (abs(other.reflectance - three.reflectance) > 1e-6).mean() > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_mean_and_deviation_of_draws_agree_with_the_summaries(kind):
    image, options = _image(kind, 31, 43), KINDS[kind]
    estimate = hsi_xr.reconstruct(image, samples=2, **options)
    drawn = _draw(image, samples=200, **options)
    np.testing.assert_allclose(drawn.reflectance_std, estimate.reflectance_std, rtol=1e-5)
    error = (drawn.reflectance.mean("sample") - estimate.reflectance) / estimate.reflectance_std
    # draws of an unknown camera are exact, the summaries average cameras to first order
    assert abs(error).quantile(0.95) < 0.5
    ratio = drawn.reflectance.std("sample") / estimate.reflectance_std
    assert 0.8 < ratio.median() < 1.2
    assert 0.5 < ratio.quantile(0.05) < ratio.quantile(0.95) < 1.8


def test_errors_of_one_colour_are_alike_in_every_tile():
    image = _image("camera known")
    image[:] = image.values[:, 30:31, 40:41]
    drawn = _draw(image, samples=40, tile=24, **KINDS["camera known"])
    means = drawn.reflectance[:, :, [0, 60], [0, 80]]
    spread = means.std("sample").mean()
    between = abs(
        drawn.reflectance[:, :, :24, :24].mean(("y", "x"))
        - drawn.reflectance[:, :, 48:, 72:].mean(("y", "x"))
    ).mean()
    assert between < 0.1 * spread


def test_the_level_of_each_draw_is_within_its_interval_as_often_as_stated():
    factors = draw_level_factors(2.0, 1.2, 2.6, seed=3, draws=1024)
    share = ((factors > 2.0 / 2.6) & (factors < 2.0 / 1.2)).mean()
    assert abs(share - 0.9) < 0.03
    np.testing.assert_allclose(np.median(factors), 1, rtol=0.03)


def test_a_level_has_a_factor_in_each_draw_unless_it_is_exact():
    image = _image("display")
    estimated = _draw(image)
    assert estimated.level_factor.dims == ("sample",)
    assert len(np.unique(estimated.level_factor)) == 3
    assert "level_factor" not in _draw(image, level=0.8)
    assert "level_factor" not in _draw(_image("camera known"), **KINDS["camera known"])


def test_consistency_holds_for_each_draw():
    image = _image("camera known")
    drawn = _draw(image, consistency="exact", **KINDS["camera known"]).reflectance
    grid = Bands.regular(400, 700, 10)
    curves = np.array(SpectralResponse.of(CAMERA, grid).curves)
    seen = np.einsum("cb,sbyx->scyx", curves, drawn.values)
    assert np.quantile(abs(seen - image.values[None]), 0.99) < 1 / 255


def test_quantiles_of_the_product_contain_the_draws_as_often_as_they_state():
    image, options = _image("camera unknown"), KINDS["camera unknown"]
    drawn = _draw(image, samples=60, quantiles=(0.05, 0.95), **options)
    inside = (drawn.reflectance > drawn.reflectance_q05) & (
        drawn.reflectance < drawn.reflectance_q95
    )
    assert abs(inside.mean() - 0.9) < 0.06


def test_nodata_is_nodata_in_every_draw():
    image = _image("display")
    image[:, 4:9, 70:] = np.nan
    invalid = _draw(image).reflectance.isnull()
    assert invalid[:, :, 4:9, 70:].all() and invalid.sum() == 3 * 31 * 5 * 13


def test_many_draws_make_smaller_tiles_and_are_counted_in_the_plan():
    image = _image("display", 700, 900).chunk(y=200, x=300)
    few, many = (hsi_xr.plan(image, samples=n, draws=True) for n in (4, 64))
    assert many.tiles > few.tiles
    assert many.output_bytes == 4 * 31 * (64 + 1) * 700 * 900
    assert many.memory_bytes < 2 * few.memory_bytes
    assert _draw(image).attrs["hsi_xr_draws"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 1}, "samples=16 .--draws 16."),
        ({"samples": 4, "model": "root-polynomial"}, "no posterior to draw from"),
        ({"samples": 1024}, r"GiB of memory; open the scene lazily"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_any_work(options, message):
    image = xr.DataArray(
        np.broadcast_to(np.uint8(90), (3, 20_000, 21_000)), dims=("band", "y", "x")
    )
    with pytest.raises(UsageError, match=message):
        hsi_xr.reconstruct(image, draws=True, allow_ungeoreferenced=True, **options)
