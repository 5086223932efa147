"""Public data sets as they are distributed, and pairs of anybody's own: cubes with their pictures.

A file of this folder is a data set, by its name: `load("ntire2022", folder)`.
"""

from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits
from hsi_xr.datasets._registry import checked, load, names

__all__ = ["COMMON", "Coding", "DataSet", "Pair", "Splits", "checked", "load", "names"]
