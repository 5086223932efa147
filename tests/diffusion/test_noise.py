"""Noise is a function of position."""

import pytest
import torch

from hsi_xr.diffusion.noise import NoiseField, philox


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_matches_the_published_vectors(counter, key, expected):
    """The known-answer vectors of the Random123 library for philox4x32-10."""
    found = philox(tuple(torch.tensor(word) for word in counter), key)
    assert tuple(int(word) for word in found) == expected


def _read(field, rows, columns, *, channels=7, step=3):
    return field.read(
        torch.arange(*rows)[None], torch.arange(*columns)[None], channels=channels, step=step
    )


def test_overlapping_rectangles_read_the_same_values():
    field = NoiseField(5)
    whole = _read(field, (-9, 40), (100, 161))
    part = _read(field, (3, 17), (120, 150))
    assert torch.equal(whole[..., 12:26, 20:50], part)


def test_more_channels_do_not_change_the_first_ones():
    few = _read(NoiseField(5), (0, 11), (0, 13), channels=3)
    many = _read(NoiseField(5), (0, 11), (0, 13), channels=31)
    assert torch.equal(many[:, :3], few)


def test_a_batch_reads_each_image_at_its_own_position():
    field = NoiseField(1)
    rows, columns = torch.tensor([[0, 1, 2], [50, 51, 52]]), torch.tensor([[7, 8], [9, 10]])
    both = field.read(rows, columns, channels=4, step=1)
    assert torch.equal(both[1:], field.read(rows[1:], columns[1:], channels=4, step=1))


@pytest.mark.parametrize("other", [{"seed": 6}, {"seed": 5 + 2**32}, {"seed": 5, "sample": 1}])
def test_seeds_and_samples_differ(other):
    a, b = _read(NoiseField(5), (0, 200), (0, 200)), _read(NoiseField(**other), (0, 200), (0, 200))
    assert abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) < 0.01


def test_noise_is_standard_normal_and_white():
    """280,000 values; mean, variance and kurtosis are within four standard errors."""
    x = _read(NoiseField(2), (0, 200), (0, 200)).double()
    assert abs(x.mean()) < 4 / 280_000**0.5
    assert abs(x.var() - 1) < 4 * (2 / 280_000) ** 0.5
    assert abs((x**4).mean() - 3) < 4 * (96 / 280_000) ** 0.5
    for a, b in [(x[..., 1:, :], x[..., :-1, :]), (x[..., 1:], x[..., :-1]), (x[:, 1:], x[:, :-1])]:
        assert abs((a * b).mean()) < 4 / a.numel() ** 0.5


def test_words_are_a_function_of_position_seed_and_sample():
    rows, columns = torch.arange(-3, 40)[None], torch.arange(90, 151)[None]
    whole = NoiseField(5, 2).words(rows, columns)
    assert torch.equal(NoiseField(5, 2).words(rows[:, 7:9], columns[:, 5:]), whole[:, 7:9, 5:])
    assert whole.unique().numel() == whole.numel()
    assert (whole != NoiseField(5, 3).words(rows, columns)).all()


def test_noise_of_a_scene_is_normal_and_uniform_and_tables_are_independent():
    normal, uniform = NoiseField(5, 2).of_scene(1, 300, 70, device=torch.device("cpu"))
    other, _ = NoiseField(5, 2).of_scene(2, 300, 70, device=torch.device("cpu"))
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1) < 0.02
    assert 0 < uniform.min() < uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.01
    for each in (other, uniform):
        assert abs(torch.corrcoef(torch.stack([normal.flatten(), each.flatten()]))[0, 1]) < 0.03
