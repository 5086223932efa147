"""Evaluation: scores of reconstructed cubes against true ones, and published protocols."""
