"""Tiles are index arithmetic."""

import numpy as np
import pytest
from affine import Affine

from hsi_xr.errors import UsageError
from hsi_xr.pipeline.tiles import Span, Tiling, anchor_of, mirror, spread_windows

SIZES = [(300, 517), (517, 300), (64, 600), (100, 100), (33, 31), (1, 77)]


def _tilings():
    for rows, columns in SIZES:
        for tile, halo, anchor in [(64, 8, (0, 0)), (128, 33, (3, 1)), (0, 16, (-7, 1_000_001))]:
            yield Tiling(rows=rows, columns=columns, tile=tile, halo=halo, stride=4, anchor=anchor)


def _tiles(tiling):
    return [tiling.at(i, j) for i, j in np.ndindex(*tiling.shape)]


@pytest.mark.parametrize("tiling", list(_tilings()), ids=str)
def test_cores_cover_every_pixel_once(tiling):
    covered = np.zeros((tiling.rows, tiling.columns), dtype=int)
    for tile in _tiles(tiling):
        covered[tile.rows.start : tile.rows.stop, tile.columns.start : tile.columns.stop] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize("tiling", list(_tilings()), ids=str)
def test_views_contain_the_halo_and_start_on_the_stride_of_the_absolute_grid(tiling):
    for tile in _tiles(tiling):
        for core, view, anchor in zip(
            (tile.rows, tile.columns), (tile.view_rows, tile.view_columns), tiling.anchor
        ):
            assert view.start <= core.start - tiling.halo
            assert view.stop >= core.stop + tiling.halo
            assert (view.start + anchor) % 4 == 0 == len(view) % 4
            assert len(view) < len(core) + 2 * tiling.halo + 8


def test_full_tiles_have_one_shape_so_that_they_batch():
    tiling = Tiling(rows=700, columns=900, tile=128, halo=10, stride=4, anchor=(2, 3))
    full = [t for t in _tiles(tiling) if len(t.rows) == len(t.columns) == 128]
    assert len({(len(t.view_rows), len(t.view_columns)) for t in full}) == 1


def test_the_core_is_at_its_position_within_the_view():
    tile = Tiling(rows=300, columns=517, tile=64, halo=9, stride=4, anchor=(1, 2)).at(2, 3)
    ground = np.add.outer(
        1000 * np.arange(tile.view_rows.start, tile.view_rows.stop),
        np.arange(tile.view_columns.start, tile.view_columns.stop),
    )
    expected = np.add.outer(1000 * np.arange(128, 192), np.arange(192, 256))
    assert (ground[tile.core] == expected).all()


def _blended():
    for rows, columns in [*SIZES, (65, 133), (128, 96)]:
        for tile, blend in [(64, 32), (32, 32), (32, 10), (64, 0)]:
            sizes = {"rows": rows, "columns": columns, "tile": tile, "blend": blend}
            yield Tiling(**sizes, halo=8, stride=4, anchor=(3, 1))


def _weights(tiling, k, axis):
    """Returns the weights of a tile's output in its own core and in the next one."""
    own = tiling.blend_weights(k, axis)[0]
    if k + 1 == tiling.shape[axis]:
        return own
    beyond = tiling.blend_weights(k + 1, axis)[1]
    assert not beyond[tiling.blend :].any()
    return np.concatenate([own, beyond[: tiling.blend]])


@pytest.mark.parametrize("tiling", list(_blended()), ids=str)
def test_weights_of_blended_tiles_sum_to_one_even_if_the_last_is_thin(tiling):
    total = np.zeros((tiling.rows, tiling.columns))
    for i, j in np.ndindex(*tiling.shape):
        tile = tiling.overlapping(i, j)
        weight = np.outer(_weights(tiling, i, 0), _weights(tiling, j, 1))
        assert (weight > 0).all()
        total[tile.rows.start : tile.rows.stop, tile.columns.start : tile.columns.stop] += weight
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("tiling", list(_blended()), ids=str)
def test_views_of_blended_tiles_contain_the_halo_around_their_outputs(tiling):
    for i, j in np.ndindex(*tiling.shape):
        tile, core = tiling.overlapping(i, j), tiling.at(i, j)
        for output, own, view, anchor in zip(
            (tile.rows, tile.columns),
            (core.rows, core.columns),
            (tile.view_rows, tile.view_columns),
            tiling.anchor,
        ):
            assert output.start == own.start and len(output) <= len(own) + tiling.blend
            assert view.start <= output.start - 8 and view.stop >= output.stop + 8
            assert (view.start + anchor) % 4 == 0 == len(view) % 4


def test_overlaps_count_among_the_pixels_that_are_read():
    """Views of 8 + 64 + 16 + 8 px, and of 8 + 64 + 8 px at the end."""
    sizes = {"rows": 128, "columns": 128, "tile": 64, "halo": 8, "stride": 4}
    assert Tiling(**sizes, blend=16).pixels_read() == (96 + 80) ** 2
    assert Tiling(**sizes).pixels_read() == (80 + 80) ** 2


@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_mirror_equals_the_reflect_mode_of_numpy(size):
    expected = np.pad(np.arange(size), 23, mode="reflect")
    assert (mirror(Span(-23, size + 23), size) == expected).all()


@pytest.mark.parametrize(
    "transform",
    [
        Affine(0.1, 0, 732_000.05, 0, -0.1, 4_713_000.1),
        Affine(10, 0, 399_960, 0, -10, 4_200_000),
        Affine.translation(500_000.3, 4e6) @ Affine.rotation(31) @ Affine.scale(0.25, -0.25),
    ],
    ids=["drone", "satellite", "rotated"],
)
def test_scenes_cut_from_one_grid_have_the_same_absolute_rows_and_columns(transform):
    row, column = anchor_of(transform)
    for down, right in [(1, 0), (17, 1003), (40_000, 5)]:
        part = transform @ Affine.translation(right, down)
        assert anchor_of(part) == (row + down, column + right)


def test_survey_windows_are_inside_the_scene_and_have_one_shape():
    for rows, columns in [(1000, 3000), (700, 650), (64, 600), (33, 31)]:
        tiling = Tiling(rows=rows, columns=columns, tile=64, halo=8, stride=4, anchor=(3, 2))
        tiles = spread_windows(tiling, side=64, count=64)
        assert 1 <= len(tiles) <= 64
        assert len({(len(t.view_rows), len(t.view_columns)) for t in tiles}) == 1
        assert all(t.rows.start > -4 and t.rows.stop <= rows for t in tiles)


def test_invalid_settings_are_rejected():
    for wrong in [{"tile": 66}, {"tile": -64}, {"halo": -1}, {"blend": 65}]:
        with pytest.raises(UsageError):
            Tiling(**{"rows": 9, "columns": 9, "tile": 64, "halo": 8, "stride": 4, **wrong})
