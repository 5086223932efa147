"""STAC items and collections of products, and their validation."""
