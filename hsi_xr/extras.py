"""What is installed on request only."""

from importlib.util import find_spec

from hsi_xr.errors import UsageError

_EXTRAS = {
    "s3fs": ("cloud", "object storage needs s3fs"),
    "upath": ("cloud", "object storage needs universal-pathlib"),
    "matplotlib": ("viz", "pictures need matplotlib"),
    "spectral": (
        "spectral",
        "libraries of ENVI and ECOSTRESS, and `to_spectral`, need Spectral Python",
    ),
    "msgspec": ("train", "training needs msgspec"),
    "h5py": ("train", "MATLAB files of version 7.3 need h5py"),
    "scipy": ("train", "MATLAB files of version 5 need SciPy"),
    "spyndex": ("indices", "indices need spyndex"),
}
"""Module -> the extra that brings it, and what it is for."""


def require(module: str, otherwise: str = "") -> None:
    """Say at once, before any work, that something cannot be done.

    Args:
        module: Name of the module that does it.
        otherwise: What else can be done, after a comma.

    Raises:
        UsageError: It is not installed.
    """
    if find_spec(module) is None:
        extra, purpose = _EXTRAS[module]
        raise UsageError(
            f"{purpose}, which is not installed; install it with "
            f'`pip install "hsi-xr[{extra}]"`{otherwise}'
        )
