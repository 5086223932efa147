"""Methods carry the dimension `sample` of joint draws, and treat each draw as a cube."""

import numpy as np
import pytest
import xarray as xr

from hsi_xr.errors import UsageError
from tests.analysis.cubes import draws, shuffled
from tests.calibration.ground import CENTRES, GRID, cube

DRAWS = draws(cube(chunks={"band": 7, "y": 20, "x": 33})).chunk(sample=2)
PLACE = GRID @ (70.5, 30.5)
LIBRARY = xr.DataArray(
    np.stack([np.linspace(0.1, 0.5, 31), np.linspace(0.4, 0.2, 31)]),
    {"spectrum": ["rising", "falling"], "wavelength": CENTRES},
)
LINEAR = {
    "to_sensor": (lambda obj: obj.hsi.to_sensor("sentinel-2a"), ("sample", "band", "y", "x")),
    "spectrum": (lambda obj: obj.hsi.spectrum(*PLACE), ("sample", "wavelength")),
    "square": (lambda obj: obj.hsi.spectrum(*PLACE, size=3.3), ("sample", "wavelength")),
    "bands": (lambda obj: obj.hsi.bands(450, 610), ("sample", "band", "y", "x")),
    "rgb": (lambda obj: obj.hsi.rgb(), ("sample", "band", "y", "x")),
}
OTHERS = {
    "sam": (lambda obj: obj.hsi.sam(LIBRARY), ("sample", "spectrum", "y", "x")),
    "one sam": (lambda obj: obj.hsi.sam(LIBRARY[0]), ("sample", "y", "x")),
    "index": (lambda obj: obj.hsi.indices("GLI"), ("sample", "y", "x")),
    "indices": (lambda obj: obj.hsi.indices(["GLI", "VARI"]), ("sample", "index", "y", "x")),
}


def values(result: xr.Dataset | xr.DataArray) -> xr.DataArray:
    return result["reflectance"] if isinstance(result, xr.Dataset) else result


@pytest.mark.parametrize("method", [*LINEAR, *OTHERS])
def test_each_draw_of_a_result_is_the_result_of_the_draw(method):
    call, dims = (LINEAR | OTHERS)[method]
    if "ind" in method:
        pytest.importorskip("spyndex", reason="indices need spyndex")
    for obj in (DRAWS, shuffled(DRAWS), DRAWS["reflectance"]):
        result = call(obj)
        assert values(result).dims == dims and values(result).chunks is not None
        for at in (0, 4):
            expected = call(obj.isel(sample=at).compute())
            xr.testing.assert_allclose(result.isel(sample=at), expected, rtol=2e-5, atol=1e-6)
            assert values(result).attrs == values(expected).attrs


@pytest.mark.parametrize("method", LINEAR)
def test_the_mean_of_draws_commutes_with_a_linear_method(method):
    call, _ = LINEAR[method]
    after = call(DRAWS).mean("sample", keep_attrs=True)
    before = call(DRAWS.mean("sample", keep_attrs=True))
    xr.testing.assert_allclose(after, before, rtol=1e-5)


def test_a_single_draw_keeps_its_dimension_as_does_its_number():
    one = DRAWS.isel(sample=[3]).hsi.to_sensor("sentinel-2a")
    assert one["sample"].values.tolist() == [4]


def test_a_number_of_each_draw_is_kept():
    factors = DRAWS.assign(level_factor=("sample", [0.9, 1.0, 1.1, 1.2, 0.8]), level_gain=2.0)
    for result in (factors.hsi.to_sensor("sentinel-2a"), factors.hsi.spectrum(*PLACE, size=3)):
        np.testing.assert_allclose(result["level_factor"], factors["level_factor"])
        assert result["level_gain"] == 2


def test_the_nearest_band_of_draws_is_that_of_the_cube():
    assert DRAWS.hsi.nearest_band(553) == cube().hsi.nearest_band(553)


def test_quantiles_of_draws_keep_their_attributes():
    with xr.set_options(keep_attrs=True):
        ends = DRAWS.hsi.to_sensor("sentinel-2a").quantile([0.05, 0.95], "sample")
    assert ends["reflectance"].dims == ("quantile", "band", "y", "x")
    assert ends.attrs["hsi_xr_sensor"] == "sentinel-2a"


@pytest.mark.parametrize(
    "call",
    [
        lambda obj: obj.hsi.plot.rgb(),
        lambda obj: obj.hsi.to_hypercoast(),
        lambda obj: obj.hsi.to_spectral(),
        lambda obj: obj.hsi.gains([(*PLACE, values(obj).hsi.spectrum(*PLACE)[0])]),
    ],
)
def test_methods_for_one_cube_say_how_to_select_it(call):
    with pytest.raises(UsageError, match=r"5 draws .*isel\(sample=0\).*mean\('sample'"):
        call(DRAWS)


def test_a_map_of_draws_says_how_to_select_one():
    with pytest.raises(UsageError, match=r"array\.isel\(sample=0\)"):
        DRAWS.hsi.sam(LIBRARY[0]).hsi.plot.map()


def test_a_plotted_spectrum_is_the_mean_and_the_quantiles_of_the_draws():
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    from matplotlib.figure import Figure

    ax = shuffled(DRAWS).hsi.plot.spectrum(*PLACE, ax=Figure().add_subplot())
    drawn = DRAWS["reflectance"].isel(y=30, x=70).values
    np.testing.assert_allclose(ax.lines[0].get_ydata(), drawn.mean(0), rtol=1e-6)
    edges = ax.collections[0].get_paths()[0].vertices[:, 1]
    low, high = np.quantile(drawn, (0.05, 0.95), axis=0)
    assert np.isclose(edges.min(), low.min()) and np.isclose(edges.max(), high.max())
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "90 % interval of 5 draws" in names
