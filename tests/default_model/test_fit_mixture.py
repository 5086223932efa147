"""A fitted mixture is the one that spectra were drawn from."""

import torch

from examples.default_model.fit_mixture import fit


def _drawn():
    rng = torch.Generator().manual_seed(0)
    at = torch.linspace(-1, 1, 9)
    shapes = torch.stack([(slope * at).exp() for slope in (-0.9, 0.1, 1.0)])
    shapes = shapes / shapes.mean(1, keepdim=True)
    kinds = torch.randint(3, (900,), generator=rng)
    spectra = shapes[kinds] * (1 + 0.01 * torch.randn(900, 9, generator=rng))
    bright = torch.tensor([-3.0, -2.0, -1.0])[kinds, None]
    return shapes, spectra * (bright + 0.1 * torch.randn(900, 1, generator=rng)).exp()


def test_shapes_and_brightness_are_found_and_one_gaussian_is_broad():
    shapes, spectra = _drawn()
    found = fit(spectra, 4, torch.Generator().manual_seed(1), rounds=8)
    order = torch.cdist(shapes, found.mean[1:]).argmin(1) + 1
    assert sorted(order.tolist()) == [1, 2, 3]
    torch.testing.assert_close(found.mean[order], shapes, atol=0.01, rtol=0)
    torch.testing.assert_close(
        found.log_level[order], torch.tensor([-3.0, -2.0, -1.0]), atol=0.05, rtol=0
    )
    spread = (found.cholesky @ found.cholesky.mT).diagonal(dim1=1, dim2=2).mean(1)
    assert spread[0] > 20 * spread[1:].max()
    torch.testing.assert_close(found.log_weight.exp().sum(), torch.tensor(1.0))


def test_the_same_generator_gives_the_same_mixture():
    _, spectra = _drawn()
    first, again = (fit(spectra, 4, torch.Generator().manual_seed(1), rounds=3) for _ in range(2))
    for name, tensor in first.state_dict().items():
        assert tensor.equal(again.state_dict()[name])
