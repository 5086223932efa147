"""Different tiles are blended without seams; each tile runs once."""

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
"""5 x 6 tiles; the last ones have 22 and 5 px, the blending ramp 16 px."""


@pytest.fixture
def whole_tile_model(slope):
    """A model whose output depends on the whole tile."""
    return slope(name="whole_tile_model", pull=1.0, context="tile")


def _survey(image, model) -> hsi_xr.Survey:
    """Returns a survey with given statistics, so that only the tiles run."""
    statistics = {
        "mean": np.full(1, 0.4, dtype="float32"),
        "scene/rgb": np.full(3, 0.2, dtype="f4"),
    }
    plan = hsi_xr.plan(image, model)
    return hsi_xr.Survey(
        statistics,
        plan.card.sha256,
        plan.scene.radiometry.condition,
        survey_conditions(plan.card, plan.job),
    )


def _cube(image, model, *, tile: int = TILE) -> xr.DataArray:
    return hsi_xr.reconstruct(image, model, tile=tile, survey=_survey(image, model))["reflectance"]


def _tiles_run() -> int:
    import third_party_slope

    return sum(third_party_slope.BATCHES)


def _stream(cube: xr.DataArray) -> np.ndarray:
    """Computes a cube as `write` does, in blocks of one tile, eight at a time."""
    sizes = block_sizes([cube], TILE)
    found = np.full(cube.shape, -1, dtype="float32")
    for block, (values,) in compute_ahead(block_reader([cube], sizes), split_blocks(sizes), 0):
        found[:, block.rows, block.columns] = values
    return found


def test_a_constant_scene_stays_constant(whole_tile_model):
    image = scene(*SIZE)
    flat = image.copy(data=np.full(image.shape, 100, dtype="float32")).chunk(y=70, x=90)
    flat.encoding = image.encoding
    found = _cube(flat, whole_tile_model).values
    np.testing.assert_allclose(found, np.broadcast_to(found[:, :1, :1], found.shape), atol=1e-6)


def _largest_step(field: np.ndarray) -> float:
    return max(np.abs(np.diff(field, axis=axis)).max() for axis in (1, 2))


def test_different_tiles_fade_into_each_other(slope, whole_tile_model):
    """Tiles add different constants; blending turns the steps between them into ramps."""
    image = scene(*SIZE)
    plain = _cube(image, slope()).values
    cropped = _cube(image, slope(name="cropped", pull=1.0)).values - plain
    blended = _cube(image, whole_tile_model).values - plain
    assert 0 < _largest_step(blended) <= 1.2 * _largest_step(cropped) / BLEND


@pytest.mark.parametrize("chunks", [(150, 165), (32, 32), (1, 165), (37, 41)])
def test_dask_chunks_do_not_change_the_cube(whole_tile_model, chunks):
    wanted = _cube(scene(*SIZE, chunks=None), whole_tile_model)
    found = _cube(scene(*SIZE, chunks=chunks), whole_tile_model)
    np.testing.assert_allclose(found, wanted, atol=1e-5, rtol=0)


def test_a_file_gives_the_same_cube_as_its_array(whole_tile_model, tmp_path):
    path = save(tmp_path / "scene.tif", rgb_image(*SIZE))
    np.testing.assert_allclose(
        _cube(path, whole_tile_model), _cube(scene(*SIZE), whole_tile_model), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("threads", [1, 2, 12])
def test_threads_and_streaming_do_not_change_the_cube(whole_tile_model, threads):
    cube = _cube(scene(*SIZE), whole_tile_model)
    found = cube.compute(scheduler="threads", num_workers=threads)
    np.testing.assert_allclose(found, cube.compute(scheduler="synchronous"), atol=1e-5, rtol=0)
    np.testing.assert_allclose(found, _stream(cube), atol=1e-5, rtol=0)


def _compute_shuffled(cube: xr.DataArray) -> np.ndarray:
    """Computes a cube block by block, in random order."""
    found, blocks = np.empty(cube.shape, dtype="float32"), split_blocks(cube.chunks[1:])
    for at in np.random.default_rng(0).permutation(len(blocks)):
        block = blocks[at]
        part = cube.isel(y=block.rows, x=block.columns)
        found[:, block.rows, block.columns] = part.compute(scheduler="synchronous")
    return found


@pytest.mark.parametrize("budget", [blend._BUDGET, 0], ids=["large", "none"])
def test_neither_order_nor_dropped_parts_change_the_cube(whole_tile_model, budget, monkeypatch):
    monkeypatch.setattr(blend, "_BUDGET", budget)
    cube = _cube(scene(*SIZE), whole_tile_model)
    np.testing.assert_allclose(_compute_shuffled(cube), cube, atol=1e-5, rtol=0)


def test_an_area_of_interest_equals_that_part_of_the_cube(whole_tile_model):
    cube = _cube(scene(*SIZE), whole_tile_model)
    part = cube.isel(y=slice(33, 120), x=slice(70, 161))
    np.testing.assert_allclose(part, cube.values[:, 33:120, 70:161], atol=1e-5, rtol=0)


@pytest.mark.parametrize("lazy", [True, False], ids=["array", "file"])
def test_each_tile_runs_once_while_blocks_are_streamed(whole_tile_model, tmp_path, lazy):
    image = scene(*SIZE) if lazy else save(tmp_path / "scene.tif", rgb_image(*SIZE))
    cube, before = _cube(image, whole_tile_model), _tiles_run()
    blend._pending.clear()  # left by other tests
    _stream(cube)
    assert _tiles_run() - before == 5 * 6
    assert not any(blend._pending.values()), "parts of a finished scene are still in memory"


def test_a_written_file_equals_compute_and_runs_each_tile_once(whole_tile_model, tmp_path):
    """5 x 4 tiles; the blocks of the file are 512 px wide and contain several tiles."""
    import rasterio

    path = save(tmp_path / "scene.tif", rgb_image(600, 400))
    cube, before = _cube(path, whole_tile_model, tile=128), _tiles_run()
    written = hsi_xr.write(cube, tmp_path / "cube.tif", dtype="float32", format="geotiff")
    assert _tiles_run() - before == 5 * 4
    with rasterio.open(written) as file:
        np.testing.assert_allclose(file.read(), cube, atol=1e-5, rtol=0)


def test_samples_and_their_standard_deviation_are_blended(whole_tile_model):
    image = scene(70, 90)
    cube = hsi_xr.reconstruct(
        image, whole_tile_model, tile=TILE, samples=2, survey=_survey(image, whole_tile_model)
    ).compute()
    np.testing.assert_allclose(cube["reflectance"], _cube(image, whole_tile_model), atol=1e-5)
    np.testing.assert_allclose(cube["reflectance_std"], 0, atol=1e-6)  # the model ignores the noise


def test_invalid_pixels_stay_invalid_and_a_tile_of_them_does_not_run(whole_tile_model):
    image = scene(*SIZE, chunks=None)
    holes = np.random.default_rng(0).random(SIZE) < 0.05
    holes[TILE : 2 * TILE + BLEND, 2 * TILE : 3 * TILE + BLEND] = True  # the whole output of a tile
    holed = image.where(~xr.DataArray(holes, dims=("y", "x"))).chunk(y=70, x=90)
    holed.encoding = image.encoding
    cube, before = _cube(holed, whole_tile_model), _tiles_run()
    found = _stream(cube)
    assert (np.isnan(found) == holes).all()
    assert _tiles_run() - before == 5 * 6 - 1


@pytest.mark.parametrize("size", [(33, 300), (101, 31), (32, 64), (1, 90)])
def test_thin_remainders_and_thin_scenes_work(whole_tile_model, size):
    image = scene(*size)
    np.testing.assert_allclose(
        _stream(_cube(image, whole_tile_model)), _cube(image, whole_tile_model), atol=1e-5, rtol=0
    )


def test_a_failing_tile_raises_in_all_threads_that_wait_for_it(slope):
    model = slope(name="never", limit=0, context="tile")
    cube = _cube(scene(*SIZE), model)
    with pytest.raises(UsageError, match="--tile"):
        cube.compute(scheduler="threads", num_workers=8)
    with pytest.raises(UsageError, match="--tile"):
        _stream(cube)


def test_a_model_that_needs_blending_can_survey_a_scene(whole_tile_model):
    assert np.isfinite(
        hsi_xr.reconstruct(scene(*SIZE), whole_tile_model, tile=TILE)["reflectance"]
    ).all()


def test_plan_and_cube_state_the_blend(slope, whole_tile_model):
    image = scene(*SIZE)
    plan, cropped = (hsi_xr.plan(image, model, tile=TILE) for model in (whole_tile_model, slope()))
    assert f"blended over {BLEND} px" in str(plan) and "blended" not in str(cropped)
    assert plan.overlap_overhead > cropped.overlap_overhead
    assert plan.memory_bytes > cropped.memory_bytes
    assert hsi_xr.reconstruct(image, whole_tile_model, tile=TILE).attrs["hsi_xr_blend"] == BLEND
    assert "hsi_xr_blend" not in hsi_xr.reconstruct(image, slope(), tile=TILE).attrs
    assert hsi_xr.plan(image, whole_tile_model).tiling.blend == 0  # in one piece


def test_an_unknown_context_is_rejected(whole_tile_model):
    card = json.loads(whole_tile_model.with_suffix(".json").read_text())
    card["reach"]["context"] = "continent"
    whole_tile_model.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(InvalidCheckpoint, match="continent"):
        hsi_xr.plan(scene(*SIZE), whole_tile_model)
