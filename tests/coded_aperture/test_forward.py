"""The forward model against formulas written out by hand, on scenes that are not square."""

import pytest
import torch

from hsi_xr.coded_aperture import forward as cassi

BANDS, ROWS, COLUMNS = 4, 5, 7
WIDE = COLUMNS + 2 * (BANDS - 1)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def cube(rng):
    return torch.rand(2, BANDS, ROWS, COLUMNS, generator=rng)


@pytest.fixture
def mask(rng):
    return torch.rand(ROWS, COLUMNS, generator=rng)


def test_band_i_is_shifted_two_i_pixels_to_the_right(cube, mask):
    measured = cassi.measure(cube, mask)
    assert measured.shape == (2, ROWS, WIDE)
    for row, column in [(0, 0), (2, 6), (4, WIDE - 1)]:
        expected = sum(
            mask[row, column - 2 * band] * cube[1, band, row, column - 2 * band]
            for band in range(BANDS)
            if 0 <= column - 2 * band < COLUMNS
        )
        torch.testing.assert_close(measured[1, row, column], torch.as_tensor(expected))


def test_a_snapshot_of_the_tsa_net_simulation_has_256_by_310_pixels():
    snapshot = cassi.measure(torch.ones(1, 28, 256, 256), torch.ones(256, 256))
    assert snapshot.shape == (1, 256, 310)
    assert cassi.initial_estimate(snapshot, 28).shape == (1, 28, 256, 256)


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_gathering_is_the_adjoint_of_dispersing(cube, step, rng):
    wide = cassi.disperse(cube, step=step).sum(1)
    other = torch.rand(wide.shape, generator=rng)
    torch.testing.assert_close(
        (wide * other).sum(), (cube * cassi.gather(other, BANDS, step=step)).sum()
    )


def test_the_snapshot_of_a_single_band_is_the_masked_band(cube, mask):
    torch.testing.assert_close(cassi.measure(cube[:, :1], mask), cube[:, 0] * mask)


def test_inputs_follow_their_formulas(cube, mask):
    measured = cassi.measure(cube, mask)
    estimate = cassi.initial_estimate(measured, BANDS)
    for band in range(BANDS):
        part = measured[:, :, 2 * band : 2 * band + COLUMNS] * 2 / BANDS
        torch.testing.assert_close(estimate[:, band], part)
        torch.testing.assert_close(
            cassi.masked_estimate(measured, mask, BANDS)[:, band], part * mask
        )
        assert torch.equal(cassi.repeat_mask(mask, BANDS)[band], mask)
    phi = cassi.phi(mask, BANDS)
    assert phi.shape == (BANDS, ROWS, WIDE)
    assert torch.equal(phi[3, :, 6:], mask) and (phi[3, :, :6] == 0).all()


def test_inputs_by_name_cover_every_snapshot_of_a_batch(cube, mask):
    measured = cassi.measure(cube, mask)
    h, hm, repeated, phi = (cassi.INPUTS[name](measured, mask, BANDS) for name in cassi.INPUTS)
    torch.testing.assert_close(hm, h * repeated)
    assert h.shape == repeated.shape == cube.shape and phi.shape == (2, BANDS, ROWS, WIDE)
    torch.testing.assert_close(cassi.gather(phi[:, 2], BANDS)[:, 2], repeated[:, 2])
    torch.testing.assert_close(h, cassi.initial_estimate(measured, BANDS))


def test_phi_alone_determines_the_measurement(cube, mask):
    phi = cassi.phi(mask, BANDS)
    torch.testing.assert_close((phi * cassi.disperse(cube)).sum(1), cassi.measure(cube, mask))


def test_energy_is_never_zero(mask):
    mask[:, 0] = 0
    energy = cassi.energy(cassi.phi(mask, BANDS))
    assert (energy[:, 0] == 1).all()
    torch.testing.assert_close(energy[2, 1], mask[2, 1] ** 2)
    torch.testing.assert_close(energy[2, 3], mask[2, 3] ** 2 + mask[2, 1] ** 2)


def test_a_snapshot_that_is_too_narrow_is_refused():
    with pytest.raises(ValueError, match="more than 6 columns"):
        cassi.gather(torch.ones(1, 5, 6), BANDS)
