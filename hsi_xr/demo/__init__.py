"""A rendered scene with known spectra, for a first look at what the package does."""

from hsi_xr.demo.report import Report
from hsi_xr.demo.run import run

__all__ = ["Report", "run"]
