"""Data sets of hyperspectral cubes with RGB images: public ones as distributed, and your own.

Every public module of this package is a data set; `load("ntire2022", folder)` opens one by name.
"""

from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits
from hsi_xr.datasets._registry import load, names, verify

__all__ = ["COMMON", "Coding", "DataSet", "Pair", "Splits", "load", "names", "verify"]
