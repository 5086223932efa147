"""Tiles that disagree are blended: no seams, each run once, and the result is still the scene's."""

import json

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.errors import InvalidCheckpoint, UsageError
from hsi_xr.io.blocks import block_reader, block_sizes, compute_ahead, split_blocks
from hsi_xr.pipeline import blend
from hsi_xr.pipeline.plan import survey_conditions
from tests.scenes import rgb_image, save, scene

TILE, BLEND = 32, 16
SIZE = (150, 165)
"""5 x 6 tiles; the last ones are 22 and 5 px, of which the ramp needs 16."""


@pytest.fixture
def moody(slope):
    """A model whose answer depends on the tile."""
    return slope(name="moody", pull=1.0, context="tile")


def _survey(image, model) -> hsi_xr.Survey:
    """StatisticsArrays as given: nothing but the tiles runs."""
    known = {"mean": np.full(1, 0.4, dtype="float32"), "scene/rgb": np.full(3, 0.2, dtype="f4")}
    plan = hsi_xr.plan(image, model)
    return hsi_xr.Survey(
        known, plan.card.sha256, str(plan.scene.radiometry), survey_conditions(plan.card, plan.job)
    )


def _cube(image, model, *, tile: int = TILE) -> xr.DataArray:
    return hsi_xr.reconstruct(image, model, tile=tile, survey=_survey(image, model))["reflectance"]


def _runs() -> int:
    import stranger_slope

    return sum(stranger_slope.BATCHES)


def _streamed(cube: xr.DataArray) -> np.ndarray:
    """As `write` computes it, in blocks of one tile, eight at a time."""
    sizes = block_sizes([cube], TILE)
    found = np.full(cube.shape, -1, dtype="float32")
    for block, (numbers,) in compute_ahead(block_reader([cube], sizes), split_blocks(sizes), 0):
        found[:, block.rows, block.columns] = numbers
    return found


def test_a_constant_stays_what_it_is(moody):
    image = scene(*SIZE)
    flat = image.copy(data=np.full(image.shape, 100, dtype="float32")).chunk(y=70, x=90)
    flat.encoding = image.encoding
    found = _cube(flat, moody).values
    np.testing.assert_allclose(found, np.broadcast_to(found[:, :1, :1], found.shape), atol=1e-6)


def _steps(field: np.ndarray) -> float:
    return max(np.abs(np.diff(field, axis=axis)).max() for axis in (1, 2))


def test_where_tiles_disagree_they_pass_gradually(slope, moody):
    """What the tile has added: constants with steps between them, or ramps as long as the blend."""
    image = scene(*SIZE)
    plain = _cube(image, slope()).values
    cropped = _cube(image, slope(name="cropped", pull=1.0)).values - plain
    blended = _cube(image, moody).values - plain
    assert 0 < _steps(blended) <= 1.2 * _steps(cropped) / BLEND


@pytest.mark.parametrize("chunks", [(150, 165), (32, 32), (1, 165), (37, 41)])
def test_dask_chunks_do_not_change_the_cube(moody, chunks):
    wanted = _cube(scene(*SIZE, chunks=None), moody)
    found = _cube(scene(*SIZE, chunks=chunks), moody)
    np.testing.assert_allclose(found, wanted, atol=1e-5, rtol=0)


def test_a_file_gives_what_its_array_gives(moody, tmp_path):
    path = save(tmp_path / "scene.tif", rgb_image(*SIZE))
    np.testing.assert_allclose(_cube(path, moody), _cube(scene(*SIZE), moody), atol=1e-5, rtol=0)


@pytest.mark.parametrize("threads", [1, 2, 12])
def test_threads_and_streaming_do_not_change_the_cube(moody, threads):
    cube = _cube(scene(*SIZE), moody)
    found = cube.compute(scheduler="threads", num_workers=threads)
    np.testing.assert_allclose(found, cube.compute(scheduler="synchronous"), atol=1e-5, rtol=0)
    np.testing.assert_allclose(found, _streamed(cube), atol=1e-5, rtol=0)


def _shuffled(cube: xr.DataArray) -> np.ndarray:
    """Computed block by block in no order."""
    found, blocks = np.empty(cube.shape, dtype="float32"), split_blocks(cube.chunks[1:])
    for at in np.random.default_rng(0).permutation(len(blocks)):
        block = blocks[at]
        part = cube.isel(y=block.rows, x=block.columns)
        found[:, block.rows, block.columns] = part.compute(scheduler="synchronous")
    return found


@pytest.mark.parametrize("room", [blend._BUDGET, 0], ids=["roomy", "forgetful"])
def test_order_does_not_change_the_cube_nor_does_what_was_forgotten(moody, room, monkeypatch):
    monkeypatch.setattr(blend, "_BUDGET", room)
    cube = _cube(scene(*SIZE), moody)
    np.testing.assert_allclose(_shuffled(cube), cube, atol=1e-5, rtol=0)


def test_an_area_of_interest_of_the_answer_is_that_part_of_it(moody):
    cube = _cube(scene(*SIZE), moody)
    part = cube.isel(y=slice(33, 120), x=slice(70, 161))
    np.testing.assert_allclose(part, cube.values[:, 33:120, 70:161], atol=1e-5, rtol=0)


@pytest.mark.parametrize("lazy", [True, False], ids=["array", "file"])
def test_each_tile_runs_once_while_blocks_are_streamed(moody, tmp_path, lazy):
    image = scene(*SIZE) if lazy else save(tmp_path / "scene.tif", rgb_image(*SIZE))
    cube, before = _cube(image, moody), _runs()
    blend._pending.clear()  # of other tests
    _streamed(cube)
    assert _runs() - before == 5 * 6
    assert not any(blend._pending.values()), "parts of a finished scene are still held"


def test_a_file_holds_what_compute_gives_and_took_one_survey_conditions_each_tile(moody, tmp_path):
    """5 x 4 tiles in the blocks of a file: 512 px wide, of several tiles each."""
    import rasterio

    path = save(tmp_path / "scene.tif", rgb_image(600, 400))
    cube, before = _cube(path, moody, tile=128), _runs()
    written = hsi_xr.write(cube, tmp_path / "cube.tif", dtype="float32", format="geotiff")
    assert _runs() - before == 5 * 4
    with rasterio.open(written) as file:
        np.testing.assert_allclose(file.read(), cube, atol=1e-5, rtol=0)


def test_samples_are_blended_with_their_spread(moody):
    image = scene(70, 90)
    cube = hsi_xr.reconstruct(
        image, moody, tile=TILE, samples=2, survey=_survey(image, moody)
    ).compute()
    np.testing.assert_allclose(cube["reflectance"], _cube(image, moody), atol=1e-5)
    np.testing.assert_allclose(cube["reflectance_std"], 0, atol=1e-6)  # this one knows no chance


def test_invalid_pixels_stay_invalid_and_a_tile_without_any_other_does_not_run(moody):
    image = scene(*SIZE, chunks=None)
    holes = np.random.default_rng(0).random(SIZE) < 0.05
    holes[TILE : 2 * TILE + BLEND, 2 * TILE : 3 * TILE + BLEND] = True  # all of a tile's answer
    holed = image.where(~xr.DataArray(holes, dims=("y", "x"))).chunk(y=70, x=90)
    holed.encoding = image.encoding
    cube, before = _cube(holed, moody), _runs()
    found = _streamed(cube)
    assert (np.isnan(found) == holes).all()
    assert _runs() - before == 5 * 6 - 1


@pytest.mark.parametrize("size", [(33, 300), (101, 31), (32, 64), (1, 90)])
def test_thin_remainders_and_thin_scenes_work(moody, size):
    image = scene(*size)
    np.testing.assert_allclose(
        _streamed(_cube(image, moody)), _cube(image, moody), atol=1e-5, rtol=0
    )


def test_a_tile_that_fails_is_an_error_of_all_that_wait_for_it(slope):
    model = slope(name="never", limit=0, context="tile")
    cube = _cube(scene(*SIZE), model)
    with pytest.raises(UsageError, match="--tile"):
        cube.compute(scheduler="threads", num_workers=8)
    with pytest.raises(UsageError, match="--tile"):
        _streamed(cube)


def test_a_surveyed_scene_of_a_model_with_context_works(moody):
    assert np.isfinite(hsi_xr.reconstruct(scene(*SIZE), moody, tile=TILE)["reflectance"]).all()


def test_the_plan_tells_of_the_blend_and_the_cube_does(slope, moody):
    image = scene(*SIZE)
    plan, cropped = (hsi_xr.plan(image, model, tile=TILE) for model in (moody, slope()))
    assert f"blended over {BLEND} px" in str(plan) and "blended" not in str(cropped)
    assert plan.overlap_overhead > cropped.overlap_overhead
    assert plan.memory_bytes > cropped.memory_bytes
    assert hsi_xr.reconstruct(image, moody, tile=TILE).attrs["hsi_xr_blend"] == BLEND
    assert "hsi_xr_blend" not in hsi_xr.reconstruct(image, slope(), tile=TILE).attrs
    assert hsi_xr.plan(image, moody).tiling.blend == 0  # in one piece


def test_an_unknown_context_is_refused(moody):
    card = json.loads(moody.with_suffix(".json").read_text())
    card["reach"]["context"] = "continent"
    moody.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(InvalidCheckpoint, match="continent"):
        hsi_xr.plan(scene(*SIZE), moody)
