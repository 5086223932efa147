"""Root-polynomial regression is proportional to exposure."""

import torch

from hsi_xr.networks import root_polynomial


def _colours(count=500):
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) + 0.01


def test_terms_are_proportional_to_exposure():
    rgb = _colours()[:, :, None, None]
    terms = root_polynomial.root_polynomial(rgb)
    assert terms.shape[1] == root_polynomial.TERMS
    torch.testing.assert_close(root_polynomial.root_polynomial(2.5 * rgb), 2.5 * terms)


def test_grey_has_only_its_own_level():
    grey = torch.full((1, 3, 2, 2), 0.3)
    torch.testing.assert_close(
        root_polynomial.root_polynomial(grey), torch.full((1, 13, 2, 2), 0.3)
    )


def test_a_fit_recovers_the_coefficients():
    wanted = torch.rand(4, root_polynomial.TERMS, generator=torch.Generator().manual_seed(1))
    rgb = _colours()
    terms = root_polynomial.root_polynomial(rgb[:, :, None, None])[..., 0, 0]
    spectra = terms @ wanted.T
    found = root_polynomial.fit(rgb, spectra)
    torch.testing.assert_close(terms @ found.T, spectra, atol=1e-4, rtol=1e-4)


def test_a_fit_does_not_depend_on_previous_contents_of_memory():
    rgb = _colours()
    spectra = rgb @ torch.rand(3, 31, generator=torch.Generator().manual_seed(2))
    held, found = [], []
    for count in range(30):
        held.append(torch.randint(9, (10 + 40 * count,), dtype=torch.int32))
        found.append(root_polynomial.fit(rgb, spectra))
        held = held[-3:]
    assert all(each.equal(found[0]) for each in found)


def test_grey_images_can_be_fitted():
    """All terms are equal: the coefficients are not determined, but their sum is."""
    grey = _colours()[:, :1].expand(-1, 3)
    ramp = torch.linspace(0.2, 0.9, 31)
    found = root_polynomial.fit(grey, grey[:, :1] * ramp)
    seen = root_polynomial.predict(grey.T[None, :, :, None], found)[0, :, :, 0].T
    torch.testing.assert_close(seen, grey[:, :1] * ramp, atol=1e-5, rtol=1e-5)
