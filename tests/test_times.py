"""SOURCE_DATE_EPOCH replaces the system clock in everything that is written."""

from datetime import UTC, datetime, timedelta

import pytest
import xarray as xr

import hsi_xr
from hsi_xr.errors import UsageError
from hsi_xr.times import now
from tests.scenes import scene

STAMP = "2026-05-28T20:26:40Z"


@pytest.fixture
def epoch(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1780000000")


def test_the_default_clock_is_that_of_the_system(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert timedelta(0) <= datetime.now(UTC) - now() < timedelta(seconds=5)
    assert now().microsecond == 0


def test_a_source_date_epoch_that_is_not_a_number_is_rejected(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match=r"SOURCE_DATE_EPOCH must be a whole number.*'yesterday'"):
        now()


@pytest.mark.parametrize("name", ["cube.zarr", "cube.nc"])
def test_the_history_of_a_store_follows_source_date_epoch(name, epoch, tmp_path):
    cube = scene(40, 50).hsi.reconstruct(radiometry="srgb")
    known = [(*at, hsi_xr.spectrum(cube, *at)["reflectance"]) for at in _places(cube)]
    for dataset in (cube, cube.hsi.calibrate(known)):
        written = hsi_xr.write(dataset, tmp_path / name, overwrite=True)
        with xr.open_dataset(written, engine="zarr" if name.endswith("zarr") else None) as stored:
            lines = stored.attrs["history"].splitlines()
        assert lines == dataset.attrs["history"].splitlines()
        assert [line.partition(" ")[0] for line in lines] == [STAMP] * len(lines)


def _places(cube: xr.Dataset) -> list[tuple[float, float]]:
    return [(float(cube.x[at]), float(cube.y[at])) for at in (5, 15, 30)]
