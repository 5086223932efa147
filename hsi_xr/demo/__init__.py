"""A rendered scene with known spectra, for a first look at what the package does."""

from hsi_xr.demo.demo import run
from hsi_xr.demo.report import Report

__all__ = ["Report", "run"]
