"""The demo scene: plausible spectra, georeference, reproducibility, and an RGB image of them."""

import itertools

import numpy as np
import pytest

from hsi_xr.demo import drone_camera
from hsi_xr.demo.canvas import (
    MATERIALS,
    SUN_AZIMUTH,
    SUN_ELEVATION,
    Canvas,
    illumination,
    reflectance,
)
from hsi_xr.demo.materials import BANDS, GREY, WAVELENGTHS, library
from hsi_xr.demo.render import INSTANT, PLACES, Scene, render
from hsi_xr.demo.seasons import SEASONS
from hsi_xr.demo.texture import blur, fractal_noise, ramp, shift


@pytest.fixture(scope="module")
def small() -> Scene:
    """The whole landscape at a coarse pixel: 97 x 130 pixels of 0.8 m."""
    return render(97, 130, seed=5, pixel=0.8)


def level_ground(material: str, *, shape: tuple[int, int] = (60, 80)) -> Canvas:
    canvas = Canvas.blank(shape, 0.5, np.random.default_rng(1))
    canvas.paint(np.ones(shape, dtype=np.float32), {material: 1.0}, 0.0)
    return canvas


def test_the_same_arguments_give_the_same_scene_to_the_bit(small):
    again = render(97, 130, seed=5, pixel=0.8)
    np.testing.assert_array_equal(again.truth, small.truth)
    np.testing.assert_array_equal(again.rgb, small.rgb)
    other = render(97, 130, seed=6, pixel=0.8)
    assert (other.rgb != small.rgb).mean() > 0.5


@pytest.mark.parametrize("season", [*SEASONS])
def test_seasons_change_the_crops_and_neither_the_roofs_nor_the_panel(season):
    summer, other = (render(73, 97, seed=5, season=each, pixel=0.8) for each in ("summer", season))
    change = np.abs(other.truth - summer.truth).mean(0)
    row, column = other.panel
    assert change[row, column] < 0.01
    assert other.truth[:, row, column].mean() > 0.8 * GREY  # its edges are in these pixels, too
    assert change[round(53.4 / 0.8), round(43 / 0.8)] < 0.01  # a roof of clay tiles
    assert (change > 0.02).mean() > 0.2 or season == "summer"
    assert set(SEASONS[season].places) <= set(PLACES)
    assert {*SEASONS[season].materials, *SEASONS[season].materials.values()} <= {*MATERIALS}


def test_truth_is_reflectance_and_never_zero(small):
    assert small.truth.shape == (31, 97, 130)
    assert small.truth.dtype == np.float32
    assert small.truth.min() > 0
    assert small.truth.max() <= 1
    assert 0.05 < small.truth.mean() < 0.2  # typical of land without snow
    assert small.rgb.shape == (3, 97, 130)
    assert small.rgb.dtype == np.uint8


def test_the_image_is_rendered_from_the_true_spectra(small):
    without_noise = drone_camera.develop(drone_camera.expose(small.truth, small.exposure))
    error = without_noise.astype(float) - small.rgb
    assert abs(error.mean()) < 0.2
    assert np.abs(error).mean() < 1.5
    assert np.abs(error).max() < 40  # the sRGB curve is steep in the dark, where noise is large


def test_the_image_is_well_exposed_and_hardly_clipped(small):
    assert (small.rgb == 255).any(axis=0).mean() < 0.002
    assert 60 < small.rgb.mean() < 140
    assert np.percentile(small.rgb, 99.9) > 170


def test_spectra_vary_within_materials_and_across_the_scene(small):
    spectra = small.truth.reshape(31, -1)
    shape = spectra / spectra.mean(axis=0)
    share = np.linalg.svd(shape - shape.mean(axis=1, keepdims=True), compute_uv=False) ** 2
    components = np.searchsorted(np.cumsum(share) / share.sum(), 0.999) + 1
    assert components >= 5  # three values per pixel do not determine them


def test_the_grid_is_georeferenced_by_its_upper_left_corner(small):
    a, b, c, d, e, f = small.geotransform
    assert (a, b, d, e) == (0.8, 0.0, 0.0, -0.8)
    assert (c, f) == (500_000.0, 5_400_000.0)
    for row, column in small.places().values():
        assert 0 <= row < 97
        assert 0 <= column < 130
    assert len(small.places()) >= 3


def test_the_sun_is_where_it_is_at_the_stated_instant():
    """Position from the mean orbit, to half a degree; the scene is at 9.0 E, 48.75 N."""
    day = INSTANT.timetuple().tm_yday - 1 + (INSTANT.hour - 12) / 24
    season = 2 * np.pi * day / 365.25
    declination = np.radians(
        0.3964 - 22.9133 * np.cos(season) + 4.0254 * np.sin(season)
        - 0.3872 * np.cos(2 * season) + 0.0520 * np.sin(2 * season)
    )  # fmt: skip
    equation = 229.2 * (
        0.000075 + 0.001868 * np.cos(season) - 0.032077 * np.sin(season)
        - 0.014615 * np.cos(2 * season) - 0.040849 * np.sin(2 * season)
    )  # fmt: skip
    minutes = 60 * INSTANT.hour + INSTANT.minute + 4 * 9.0 + equation
    hour_angle, latitude = np.radians(minutes / 4 - 180), np.radians(48.75)
    height = np.arcsin(
        np.sin(latitude) * np.sin(declination)
        + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    )
    east = -np.cos(declination) * np.sin(hour_angle)
    north = np.cos(latitude) * np.sin(declination) - np.sin(latitude) * np.cos(
        declination
    ) * np.cos(hour_angle)
    assert np.degrees(height) == pytest.approx(SUN_ELEVATION, abs=0.6)
    assert np.degrees(np.arctan2(east, north)) == pytest.approx(SUN_AZIMUTH, abs=0.8)


@pytest.mark.parametrize("material", ["oak", "brown soil", "turbid water", "white"])
def test_level_ground_in_the_open_has_the_spectrum_of_its_material(material):
    cube = reflectance(level_ground(material))
    expected = np.broadcast_to(library()[material][:, None, None], cube.shape)
    np.testing.assert_allclose(cube, expected, rtol=1e-5)


def test_shadows_point_away_from_the_sun_and_are_lit_blue_by_the_sky():
    canvas = level_ground("concrete")
    canvas.height[28:32, 38:42] = 4.0
    sun, _ = illumination(canvas)
    north_west, south_east = sun[25, 35], sun[36, 46]  # the morning sun is in the south-east
    assert north_west < 0.1
    assert south_east == pytest.approx(1, abs=0.01)
    cube = reflectance(canvas)
    shade, light = cube[:, 25, 35], cube[:, 36, 46]
    assert shade[0] / light[0] > 1.5 * shade[-1] / light[-1]


def test_slopes_that_face_the_sun_are_brighter():
    canvas = level_ground("clay tiles")
    canvas.height[:] = np.abs(canvas.y - 15) * 0.3  # a valley: its north side faces south
    sun, _ = illumination(canvas)
    assert sun[10, 40] > 1.1 > 0.9 > sun[50, 40]


def test_edges_mix_the_materials_on_both_sides():
    canvas = level_ground("white")
    canvas.paint((canvas.x > 20).astype(np.float32), {"fresh asphalt": 1.0})
    row = reflectance(canvas)[15, 30]
    edge = row[(row > 0.1) & (row < 0.6)]
    assert 1 <= edge.size <= 4
    assert (np.diff(row) <= 1e-6).all()


def test_painting_a_window_paints_the_canvas():
    canvas = level_ground("grass")
    part = canvas.crop(canvas.window_around(10, 8, 2))
    part.paint(np.ones_like(part.height), {"red paint": 1.0}, 1.0)
    painted = canvas.weights[MATERIALS.index("red paint")]
    assert painted.sum() == part.height.size
    assert painted[16, 20] == 1
    assert canvas.height.sum() == part.height.size


def test_materials_are_distinct_reflectances():
    spectra = library()
    for name, spectrum in spectra.items():
        assert spectrum.shape == (len(BANDS),), name
        assert 0 < spectrum.min() <= spectrum.max() < 0.9, name
    for one, other in itertools.combinations(spectra, 2):
        assert np.abs(spectra[one] / spectra[other] - 1).max() > 0.05, (one, other)


@pytest.mark.parametrize("plant", ["maize", "oak", "birch", "grass", "lawn"])
def test_leaves_are_green_and_have_a_red_edge(plant):
    spectrum = library()[plant]
    visible = spectrum[WAVELENGTHS < 680]
    assert 530 <= WAVELENGTHS[visible.argmax()] <= 570
    reflectance_at = dict(zip(WAVELENGTHS.tolist(), spectrum, strict=True))
    assert reflectance_at[700] > 2 * reflectance_at[670]
    assert reflectance_at[550] > 2 * reflectance_at[670] > reflectance_at[450]


@pytest.mark.parametrize("ground", ["brown soil", "wet soil", "loess", "sand", "clay tiles"])
def test_soils_and_tiles_become_brighter_towards_red(ground):
    spectrum = library()[ground]
    assert spectrum[-1] > 1.3 * spectrum[0]
    assert spectrum.argmax() >= 20


def test_a_white_reflector_stays_white_through_camera_matrix_and_curve():
    white = np.ones((31, 2, 3), dtype=np.float32)
    np.testing.assert_allclose(drone_camera.expose(white, 0.8), 0.8, rtol=1e-5)
    grey = drone_camera.develop(drone_camera.expose(0.5 * white, 0.8))
    assert (grey == round(255 * (1.055 * 0.4 ** (1 / 2.4) - 0.055))).all()


def test_the_colour_matrix_brings_the_camera_closer_to_the_observer():
    spectra = np.stack(list(library().values()))
    raw, target = spectra @ drone_camera.response().T, spectra @ drone_camera.observer().T
    corrected = raw @ drone_camera.colour_matrix().T
    assert np.std(corrected - target) < 0.35 * np.std(raw - target)


def test_noise_is_standardised_and_reproducible():
    noise = fractal_noise(np.random.default_rng(2), (60, 90), 12.0)
    assert noise.mean() == pytest.approx(0, abs=1e-4)
    assert noise.std() == pytest.approx(1, abs=1e-4)
    np.testing.assert_array_equal(noise, fractal_noise(np.random.default_rng(2), (60, 90), 12.0))
    rough = fractal_noise(np.random.default_rng(2), (60, 90), 12.0, slope=0.0)
    assert np.diff(noise, axis=1).std() < np.diff(rough, axis=1).std()


def test_blur_preserves_constants_and_ramps_are_between_zero_and_one():
    np.testing.assert_allclose(blur(np.full((9, 14), 0.3), 2.0), 0.3)
    values = np.linspace(-2, 3, 41)
    rising, falling = ramp(values, 0, 1), ramp(values, 1, 0)
    assert (np.diff(rising) >= 0).all()
    np.testing.assert_allclose(rising + falling, 1)
    assert (rising[0], rising[-1]) == (0, 1)


def test_shifting_forth_and_back_preserves_the_interior():
    image = np.random.default_rng(4).uniform(size=(20, 31))
    back = shift(shift(image, 3, -5), -3, 5)
    np.testing.assert_array_equal(back[:17, 5:], image[:17, 5:])
    assert shift(image, 3, -5)[10, 12] == image[7, 17]
