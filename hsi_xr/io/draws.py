"""Joint draws as one variable each, for files that contain one array, and their mean."""

import xarray as xr

from hsi_xr.output_variables import SAMPLE, draw_name

MEAN_OF_DRAWS = "mean of joint draws from the posterior of the model, not a measurement"


def split_draws(array: xr.DataArray) -> dict[str, xr.DataArray]:
    """Returns name -> array of each of several draws."""
    return {
        draw_name(at + 1): array.isel({SAMPLE: at}, drop=True) for at in range(array.sizes[SAMPLE])
    }


def mean_of_draws(array: xr.DataArray) -> xr.DataArray:
    """Returns the mean of draws, with attributes that say so."""
    return array.mean(SAMPLE, skipna=False, keep_attrs=True).assign_attrs(
        comment=MEAN_OF_DRAWS, cell_methods="realization: mean"
    )
