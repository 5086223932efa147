"""Noise as a function of position: of absolute row and column, and of seed, step and channel.

Neighbouring, resumed and distributed tiles read the same values where they overlap, in any order
and on any device, because nothing is drawn: each value is a hash of its position.

Source: Philox4x32-10 of Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_STRIP = 1 << 16
"""Number of counters that are hashed at once, so that 64-bit intermediates stay in the cache."""

_STEP_OF_WORDS, _GROUP_OF_SCENE = 0xFFFF, _WORD
"""Step and group of channels that `NoiseField.read` never hashes, so that nothing is read twice."""


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]) -> list[Tensor]:
    """Hashes counters of four 32-bit words (int64 tensors that broadcast) to four words each."""
    a, b, c, d = torch.broadcast_tensors(*counter)
    k0, k1 = key
    for _ in range(_ROUNDS):
        # int64 products wrap, yet their low and high 32 bits are those of the unsigned product
        left, right = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (
            (right >> 32 & _WORD) ^ b ^ k0,
            right & _WORD,
            (left >> 32 & _WORD) ^ d ^ k1,
            left & _WORD,
        )
        k0, k1 = (k0 + _WEYL[0]) & _WORD, (k1 + _WEYL[1]) & _WORD
    return [a, b, c, d]


@dataclass(frozen=True)
class NoiseField:
    """Standard normal noise on an infinite plane of pixels, for each step, sample and channel."""

    seed: int
    sample: int = 0

    def read(self, rows: Tensor, columns: Tensor, *, channels: int, step: int) -> Tensor:
        """Returns the noise at some rows and columns.

        Args:
            rows: (batch, h) absolute rows, int64.
            columns: (batch, w) absolute columns, int64.
            channels: Number of channels.
            step: Step of the chain, less than 65535.

        Returns:
            (batch, channels, h, w), float32.
        """
        batch, h, w = len(rows), rows.shape[1], columns.shape[1]
        groups = -(-channels // 4)
        strip = max(1, _STRIP // (groups * w))
        noise = torch.empty(batch, channels, h, w, device=rows.device)
        for image in range(batch):
            for top in range(0, h, strip):
                part = rows[image, top : top + strip]
                read = self._strip(part, columns[image], groups=groups, step=step)
                noise[image, :, top : top + strip] = read[:channels]
        return noise

    def words(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Returns a random integer from 0 to 2**32 - 1 for each pixel.

        Args:
            rows: (batch, h) absolute rows, int64.
            columns: (batch, w) absolute columns, int64.

        Returns:
            (batch, h, w), int64.
        """
        last = torch.tensor(_STEP_OF_WORDS | self.sample << 16, device=rows.device)
        counter = ((rows & _WORD)[..., None], (columns & _WORD)[:, None], 0 * last, last)
        return philox(counter, self._key)[0]

    def of_scene(self, table: int, *shape: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Returns noise that all pixels of a scene share.

        Args:
            table: Number of the table, less than 65536; tables are independent.
            shape: Shape of the table.
            device: Where to put it.

        Returns:
            Standard normal values, and others that are uniform within (0, 1), of that shape.
        """
        index = torch.arange(math.prod(shape), device=device)
        group = torch.tensor(_GROUP_OF_SCENE, device=device)
        last = torch.tensor(table | self.sample << 16, device=device)
        a, b, c, _ = philox((index, 0 * group, group, last), self._key)
        return _normal(a, b)[0].reshape(shape), _uniform(c).reshape(shape)

    @property
    def _key(self) -> tuple[int, int]:
        return self.seed & _WORD, self.seed >> 32 & _WORD

    def _strip(self, rows: Tensor, columns: Tensor, *, groups: int, step: int) -> Tensor:
        group = torch.arange(groups, device=rows.device)
        counter = (
            (rows & _WORD)[None, :, None],
            (columns & _WORD)[None, None, :],
            group[:, None, None],
            torch.tensor(step | self.sample << 16, device=rows.device),
        )
        a, b, c, d = philox(counter, self._key)
        return torch.stack([*_normal(a, b), *_normal(c, d)], dim=1).flatten(0, 1)


def _normal(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Converts two uniform words to two independent normal values (Box and Muller 1958)."""
    radius = (-2 * _uniform(a).log()).sqrt()
    angle = b.float() * (2 * math.pi * 2.0**-32)
    return radius * angle.cos(), radius * angle.sin()


def _uniform(word: Tensor) -> Tensor:
    return ((word.float() + 0.5) * 2.0**-32).clamp(max=1 - 2.0**-24)
