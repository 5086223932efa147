"""Analysis of cubes: angles, sensors, indices, libraries, selection, layouts and plots."""
