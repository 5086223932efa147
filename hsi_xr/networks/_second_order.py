"""Second-order non-local attention of AWAN, computed without a matrix of all pairs of pixels.

Source: Li, Wu, Song, Li, Liu 2020 (arXiv:2005.09305), for the formula; how it is computed is
original to this package.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 20.0
"""Largest exponent of the power series: its error in float64 is 1e-16 exp(20) = 5e-8."""


def second_order(theta: Tensor, values: Tensor) -> Tensor:
    """Computes softmax((theta - mean) theta^T / channels) values without an N x N matrix.

    The mean is over channels. Centring makes the scores inner products of vectors with one
    dimension less than channels. For the published three channels these are points z of a plane,
    and exp(z_i . z_j) is an inner product of their monomials, so the sum over j becomes a small
    table of moments. The cost is N times the number of terms instead of N times N. If the points
    are too far apart for that, attention is computed block by block.

    Args:
        theta: (batch, N, channels).
        values: (batch, N, m).

    Returns:
        (batch, N, m), equal to the formula to about 1e-6 of the largest value.

    Source: arXiv:2005.09305, for the formula.
    """
    count, channels = theta.shape[1:]
    centred = theta - theta.mean(2, keepdim=True)
    if channels == 3:
        z = centred.double() @ _plane(centred.device) / math.sqrt(3)
        # shifting the targets only reweights the sources, and shifting the sources changes nothing;
        # about these two centres, no sum over sources is smaller than one (Jensen's inequality)
        middle = z.mean(1, keepdim=True)
        share = (z @ middle.mT).softmax(1)
        targets, sources = z - middle, z - (share * z).sum(1, keepdim=True)
        reach = (targets.norm(dim=2).amax(1) * sources.norm(dim=2).amax(1)).max().item()
        terms = _terms(reach)
        if reach <= REACH and terms**2 <= 4 * count:
            return _by_powers(targets, sources, share, values.double(), terms).to(values.dtype)
    return _by_blocks(centred, theta, values)


def _plane(device: torch.device) -> Tensor:
    """Returns orthonormal directions of the plane of vectors with mean zero, (3, 2)."""
    directions = torch.tensor([[1, 1], [-1, 1], [0, -2]], dtype=torch.float64, device=device)
    return directions / directions.norm(dim=0)


def _terms(reach: float) -> int:
    """Returns the number of terms after which the series of exp(reach) is accurate to 1e-8."""
    n, term = 0, 1.0
    while term > 5e-9 or n < 2 * min(reach, REACH):
        n += 1
        term *= min(reach, REACH) / n
    return n + 1


def _by_powers(
    targets: Tensor, sources: Tensor, share: Tensor, values: Tensor, terms: int
) -> Tensor:
    weighted = share * torch.cat([values, torch.ones_like(values[..., :1])], dim=2)
    first, second = (_powers(sources[..., axis], terms) for axis in (0, 1))
    moments = first.mT @ (second[..., None] * weighted[:, :, None]).flatten(2)
    first, second = (_powers(targets[..., axis], terms) for axis in (0, 1))
    found = ((first @ moments).unflatten(2, (terms, -1)) * second[..., None]).sum(2)
    return found[..., :-1] / found[..., -1:]


def _powers(x: Tensor, terms: int) -> Tensor:
    """Returns x^n / sqrt(n!), (..., terms); products with those of y sum to exp(xy)."""
    powers = [torch.ones_like(x)]
    for n in range(1, terms):
        powers.append(powers[-1] * x / math.sqrt(n))
    return torch.stack(powers, dim=-1)


def _by_blocks(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Evaluates the formula directly; the fused kernel keeps a block of rows at a time."""
    channels, wanted = queries.shape[2], values.shape[2]
    # fused kernels need heads of one length, a multiple of eight; zeros add nothing
    length = -(-max(channels, wanted) // 8) * 8
    q, k, v = (
        F.pad(each, (0, length - each.shape[2]))[:, None] for each in (queries, keys, values)
    )
    return F.scaled_dot_product_attention(q, k, v, scale=1 / channels)[:, 0, :, :wanted]
