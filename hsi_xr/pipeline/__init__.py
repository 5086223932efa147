"""Reconstruction: from an RGB scene to a labelled hyperspectral cube."""
