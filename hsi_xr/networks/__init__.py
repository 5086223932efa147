"""Networks from tensors to tensors, one paper per module."""
