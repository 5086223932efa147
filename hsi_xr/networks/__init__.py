"""Tensors in, tensors out: one paper, one file."""
