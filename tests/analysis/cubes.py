"""Variants of cubes that must not change a result."""

import numpy as np
import xarray as xr


def shuffled(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset with its bands in random order."""
    return dataset.isel(band=np.random.default_rng(3).permutation(dataset.sizes["band"]))


def draws(dataset: xr.Dataset, count: int = 5) -> xr.Dataset:
    """Return the dataset with reflectance (sample, band, y, x), correlated over bands and rows."""
    cube = dataset["reflectance"]
    rng = np.random.default_rng(7)
    walk = rng.normal(0, 0.01, (count, cube.sizes["band"], cube.sizes["y"])).cumsum(1).cumsum(2)
    noise = xr.DataArray(
        np.exp(walk / 10).astype("float32"),
        {"sample": np.arange(1, count + 1)},
        ("sample", "band", "y"),
    )
    drawn = (noise * cube).transpose("sample", "band", "y", "x").assign_attrs(cube.attrs)
    return dataset.assign(reflectance=drawn.assign_coords(cube.coords))
