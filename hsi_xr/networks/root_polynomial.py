"""Root-polynomial colour regression, the classical baseline that is invariant to exposure.

Source: Finlayson, Mackiewicz, Hurlbert 2015, "Color Correction Using Root-Polynomial Regression",
IEEE Transactions on Image Processing 24(5), 1460-1470.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

TERMS = 13
"""Number of terms of degree three in three channels."""


def root_polynomial(rgb: Tensor) -> Tensor:
    """Expands linear RGB to the 13 root-polynomial terms of degree 3.

    Each term is a root of a product of channels and is proportional to exposure.

    Args:
        rgb: (batch, 3, rows, columns) linear RGB; negative values are clipped to 0.

    Returns:
        (batch, 13, rows, columns).
    """
    r, g, b = rgb.clamp(min=0).unbind(1)
    sr, sg, sb = (c.sqrt() for c in (r, g, b))
    cr, cg, cb = (c.pow(1 / 3) for c in (r, g, b))
    return torch.stack(
        [
            *(r, g, b),
            *(sr * sg, sg * sb, sr * sb),
            *(cr * cg * cg, cg * cb * cb, cr * cb * cb),
            *(cg * cr * cr, cb * cg * cg, cb * cr * cr),
            cr * cg * cb,
        ],
        dim=1,
    )


def predict(rgb: Tensor, coefficients: Tensor) -> Tensor:
    """Predicts reflectance; negative values are clipped to 0.

    Args:
        rgb: (batch, 3, rows, columns) linear RGB.
        coefficients: (bands, 13); see `fit`.

    Returns:
        (batch, bands, rows, columns).
    """
    return F.conv2d(root_polynomial(rgb), coefficients[:, :, None, None]).clamp(min=0)


def fit(rgb: Tensor, spectra: Tensor) -> Tensor:
    """Fits coefficients by least squares of relative errors. The result is deterministic.

    Args:
        rgb: (pixels, 3) linear RGB, on the CPU.
        spectra: (pixels, bands) reflectance; the weight of a pixel is the inverse of its mean.

    Returns:
        (bands, 13).
    """
    terms = root_polynomial(rgb[:, :, None, None].double())[..., 0, 0]
    weight = 1 / spectra.double().mean(1, keepdim=True).clamp(min=0.02)
    return least_squares(terms * weight, spectra.double() * weight).T.float()


def least_squares(a: Tensor, b: Tensor) -> Tensor:
    """Returns the x of least norm that minimises |a x - b|; always computed on the CPU.

    The default driver of torch, gelsy, starts from uninitialised pivots, so that rounding, and the
    result for dependent columns, depend on previous contents of memory
    (https://github.com/pytorch/pytorch/issues/71222). CUDA does not have the driver used here.
    """
    return torch.linalg.lstsq(a.cpu(), b.cpu(), driver="gelsd").solution.to(b)
