"""Known spectra on the ground, and the gain per band that brings an estimated cube to them."""
