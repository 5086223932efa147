"""How the tensors of a file differ from those that a network asks for."""

from collections.abc import Mapping

from torch import Tensor

SHOWN = 5


def differences(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """Keys that are missing, unknown or of another shape, the first few; empty if all fit."""
    wrong = [
        *(f"lacks {key}" for key in wanted.keys() - found.keys()),
        *(f"has unknown {key}" for key in found.keys() - wanted.keys()),
        *(
            f"{key} is {tuple(found[key].shape)}, not {tuple(wanted[key].shape)}"
            for key in wanted.keys() & found.keys()
            if found[key].shape != wanted[key].shape
        ),
    ]
    return "; ".join(sorted(wrong)[:SHOWN]) + (" ..." if len(wrong) > SHOWN else "")
