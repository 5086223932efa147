"""Many pictures into a collection of products."""
