"""Size of a product before it is compressed."""

import math
from typing import TYPE_CHECKING

import numpy as np

from hsi_xr.io.variables import Storage

if TYPE_CHECKING:
    from hsi_xr.pipeline.outputs import Outputs


def stored_bytes(outputs: "Outputs", shape: tuple[int, int], *, dtype: str, scale: float) -> int:
    """Returns the bytes of all variables of a product.

    Args:
        outputs: Variables of the product.
        shape: Rows and columns.
        dtype, scale: As in `hsi_xr.write`.
    """
    per_pixel = sum(
        outputs.values_of(variable)
        * np.dtype(Storage.for_variable(variable.name, dtype, scale).dtype).itemsize
        for variable in outputs.variables
    )
    return math.prod(shape) * per_pixel
