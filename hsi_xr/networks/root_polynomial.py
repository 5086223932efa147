"""Root-polynomial colour regression: the classical, exposure-invariant yardstick and base.

Source: Finlayson, Mackiewicz, Hurlbert 2015, "Color Correction Using Root-Polynomial Regression",
IEEE Transactions on Image Processing 24(5), 1460-1470.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

TERMS = 13
"""Terms of degree three in three channels."""


def root_polynomial(rgb: Tensor) -> Tensor:
    """Expands linear RGB to the 13 terms of degree 3; (b, 3, h, w) -> (b, 13, h, w).

    Each term is a root of a product of channels and scales with the light: twice the exposure,
    twice the term.
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
    """(b, 3, h, w) linear, (bands, 13) -> (b, bands, h, w), not under zero."""
    return F.conv2d(root_polynomial(rgb), coefficients[:, :, None, None]).clamp(min=0)


def fit(rgb: Tensor, spectra: Tensor) -> Tensor:
    """Coefficients (bands, 13) by least squares on relative errors; the same pixels, the same bits.

    Args:
        rgb: (pixels, 3) linear, on the CPU.
        spectra: (pixels, bands) reflectance; each pixel counts by the inverse of its mean.
    """
    terms = root_polynomial(rgb[:, :, None, None].double())[..., 0, 0]
    weight = 1 / spectra.double().mean(1, keepdim=True).clamp(min=0.02)
    return least_squares(terms * weight, spectra.double() * weight).T.float()


def least_squares(a: Tensor, b: Tensor) -> Tensor:
    """The x of least norm that makes |a x - b| least; worked out on the CPU, wherever they are.

    The driver that torch takes by itself, gelsy, begins with pivots that it leaves uninitialised:
    rounding, and where columns depend on each other the answer, follow from what memory held
    before (https://github.com/pytorch/pytorch/issues/71222). CUDA has neither.
    """
    return torch.linalg.lstsq(a.cpu(), b.cpu(), driver="gelsd").solution.to(b)
