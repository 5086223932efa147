"""Optional dependencies, and the extras of the distribution that install them."""

from importlib.util import find_spec

from hsi_xr.errors import UsageError

_EXTRAS = {
    "s3fs": ("cloud", "object storage needs s3fs"),
    "upath": ("cloud", "object storage needs universal-pathlib"),
    "matplotlib": ("viz", "plots need matplotlib"),
    "spectral": (
        "spectral",
        "ENVI and ECOSTRESS spectral libraries and `to_spectral` need Spectral Python",
    ),
    "msgspec": ("train", "training needs msgspec"),
    "h5py": ("train", "MATLAB files of version 7.3 need h5py"),
    "scipy": ("train", "MATLAB files of version 5 need SciPy"),
    "exactextract": ("zonal", "means over polygons need exactextract"),
    "geopandas": ("zonal", "means over polygons need geopandas"),
    "spyndex": ("indices", "spectral indices need spyndex"),
}
"""Module -> the extra that installs it, and the feature that needs it."""


def require(module: str, alternative: str = "") -> None:
    """Checks that an optional dependency is installed, before any work is done.

    Args:
        module: Name of the module.
        alternative: What else the user can do; appended to the message, so it begins with a comma.

    Raises:
        UsageError: The module is not installed.
    """
    if find_spec(module) is None:
        extra, feature = _EXTRAS[module]
        raise UsageError(
            f"{feature}, which is not installed; install it with "
            f'`pip install "hsi-xr[{extra}]"`{alternative}'
        )
