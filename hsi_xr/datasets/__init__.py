"""Public data sets as they are distributed, and pairs of anybody's own: cubes with their pictures.

A file of this folder is a data set.
"""
