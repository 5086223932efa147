"""The command line of hsi_xr as `rio hsi`, found by rasterio through its entry points."""

from hsi_xr.cli import cli as hsi

__all__ = ["hsi"]
