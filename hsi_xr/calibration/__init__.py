"""Calibration: gains per band that match an estimated cube to known spectra."""
