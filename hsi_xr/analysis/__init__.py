"""Working with cubes: what other sensors would see, angles, spectra, indices, libraries, plots."""
