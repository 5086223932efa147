"""Cameras: their spectral responses, and the operator from spectra to RGB."""
