"""Conversion of many images to products with a STAC collection."""
