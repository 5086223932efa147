"""Collections of products, and what is wrong with files, items and collections."""
