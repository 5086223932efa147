"""Pictures for training obey the physics that they imitate."""

import torch

from hsi_xr.physics import srgb_decode, srgb_encode
from hsi_xr.training.batches import Source
from hsi_xr.training.simulate import Studio, mean_response, mixtures


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def _studio():
    bands = torch.linspace(-1, 1, 31)
    peaks = torch.tensor([0.6, 0.0, -0.6])[None, :, None] + 0.05 * torch.randn(
        4, 3, 1, generator=_rng()
    )
    cameras = torch.exp(-((bands - peaks) ** 2) / 0.1)
    palette = torch.rand(50, 31, generator=_rng(1))
    return Studio(cameras, cameras.mean(0), palette)


def test_srgb_coding_and_decoding_are_inverse():
    light = torch.linspace(0, 1, 4001)
    torch.testing.assert_close(srgb_decode(srgb_encode(light)), light, atol=1e-5, rtol=0)


def test_the_same_generator_takes_the_same_picture():
    cubes = torch.rand(3, 31, 12, 20, generator=_rng())
    first, again = (_studio().photograph(cubes, _rng(7)) for _ in "ab")
    assert torch.equal(first, again)
    assert first.shape == (3, 3, 12, 20) and (first >= 0).all()


def test_mixtures_are_reflectances_with_structure():
    groups = [torch.rand(9, 31, generator=_rng(i)) for i in range(3)]
    cube = mixtures(groups, 48, _rng(2))
    assert cube.shape == (31, 48, 48) and (cube >= 0).all() and torch.isfinite(cube).all()
    assert cube.std(dim=(1, 2)).min() > 0


def test_the_gain_of_a_brightened_picture_is_its_brightening():
    studio = _studio()
    reference = mean_response(studio.cameras)
    source = Source([], [], studio, reference)
    cube = torch.rand(2, 31, 9, 14, generator=_rng(4))
    seen = torch.einsum("cb,nbhw->nchw", reference, cube)
    wanted = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    torch.testing.assert_close(source.gain(seen * wanted[..., None, None], cube), wanted)
