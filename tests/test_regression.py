"""Root-polynomial regression follows the light."""

import torch

from hsi_xr import regression


def _colours(count=500):
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) + 0.01


def test_twice_the_exposure_is_twice_every_term():
    rgb = _colours()[:, :, None, None]
    terms = regression.root_polynomial(rgb)
    assert terms.shape[1] == regression.TERMS
    torch.testing.assert_close(regression.root_polynomial(2.5 * rgb), 2.5 * terms)


def test_grey_has_only_its_own_level():
    grey = torch.full((1, 3, 2, 2), 0.3)
    torch.testing.assert_close(regression.root_polynomial(grey), torch.full((1, 13, 2, 2), 0.3))


def test_a_fit_finds_the_coefficients_it_was_made_from():
    wanted = torch.rand(4, regression.TERMS, generator=torch.Generator().manual_seed(1))
    rgb = _colours()
    terms = regression.root_polynomial(rgb[:, :, None, None])[..., 0, 0]
    spectra = terms @ wanted.T
    found = regression.fit(rgb, spectra)
    torch.testing.assert_close(terms @ found.T, spectra, atol=1e-4, rtol=1e-4)
