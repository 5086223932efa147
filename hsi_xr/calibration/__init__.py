"""Calibration: gains per band that bring an estimated cube to known spectra."""
