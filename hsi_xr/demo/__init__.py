"""The demo: renders a scene with known spectra, reconstructs it and scores the result."""

from hsi_xr.demo.demo import run
from hsi_xr.demo.report import Report

__all__ = ["Report", "run"]
