"""An estimate is moved smoothly until the camera projects it to the image."""

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

import hsi_xr
from hsi_xr.band_grid import Bands
from hsi_xr.camera.consistency import HALF_STEP, TOLERANCE, consistent
from hsi_xr.camera.operator import Camera
from hsi_xr.camera.spectral_response import SpectralResponse
from hsi_xr.errors import MissingFact, UnknownName, UsageError
from hsi_xr.io.raster_source import stored_dtype
from tests.scenes import CAMERA, ground, photographed, scene

BANDS = Bands.regular(400, 700, 10)
SIZE = (2, 31, 17, 23)


@pytest.fixture(scope="module")
def camera() -> Camera:
    return Camera(torch.tensor(SpectralResponse.of(CAMERA, BANDS).curves))


def _smooth(seed: int) -> torch.Tensor:
    return torch.from_numpy(np.stack([ground(17, 23, seed=seed + k) for k in range(2)]))


TRUTHS = {
    "smooth": _smooth(1),
    "dark": 0.002 * _smooth(2),
    "black": torch.zeros(SIZE),
    "saturated": torch.ones(SIZE),
    "rough": torch.rand(SIZE, generator=torch.Generator().manual_seed(3)),
}
ESTIMATES = {
    "near": TRUTHS["smooth"] * torch.linspace(0.9, 1.15, 31)[:, None, None],
    "far": _smooth(4),
    "black": torch.zeros(SIZE),
    "negative": _smooth(5) - 0.3,
}


def _consistent(cube, rgb, camera, **noise) -> torch.Tensor:
    return consistent(cube, rgb, camera, BANDS.centres, **noise)


def _residual(cube, rgb, camera) -> torch.Tensor:
    """Root mean square over the channels, (batch, rows, columns)."""
    return (camera.project(cube) - rgb).square().mean(1).sqrt()


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("estimate", ESTIMATES)
def test_non_negative_spectra_project_to_the_image(camera, estimate, truth):
    rgb = camera.project(TRUTHS[truth])
    found = _consistent(ESTIMATES[estimate], rgb, camera)
    assert found.shape == SIZE and found.min() >= 0
    assert (camera.project(found) - rgb).abs().max() <= HALF_STEP


@pytest.mark.parametrize("truth", ["smooth", "saturated", "rough"])
@pytest.mark.parametrize("estimate", ["near", "far", "black"])
def test_applying_it_twice_changes_nothing(camera, estimate, truth):
    """Up to what is left within `TOLERANCE`, which is more in bands of low sensitivity."""
    rgb = camera.project(TRUTHS[truth])
    once = _consistent(ESTIMATES[estimate], rgb, camera)
    twice = _consistent(once, rgb, camera)
    torch.testing.assert_close(twice, once, atol=20 * TOLERANCE, rtol=0)


@pytest.mark.parametrize("noise", [0.0, HALF_STEP])
@pytest.mark.parametrize("truth", TRUTHS)
def test_a_consistent_estimate_does_not_change(camera, truth, noise):
    cube = TRUTHS[truth]
    found = _consistent(cube, camera.project(cube), camera, noise=noise)
    torch.testing.assert_close(found, cube, atol=2e-5, rtol=0)


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("estimate", ESTIMATES)
def test_soft_consistency_is_between_the_estimate_and_the_exact_one(camera, estimate, truth):
    """In every pixel; and if there is something to move, it stops before the image."""
    cube, rgb = ESTIMATES[estimate].clamp(min=0), camera.project(TRUTHS[truth])
    before = _residual(cube, rgb, camera)
    soft = _residual(_consistent(cube, rgb, camera, noise=HALF_STEP), rgb, camera)
    exact = _residual(_consistent(cube, rgb, camera), rgb, camera)
    assert (soft <= before + 1e-6).all() and (exact <= soft + HALF_STEP).all()
    assert before.mean() < 1e-3 or exact.mean() < soft.mean() < before.mean()


def test_more_noise_moves_less(camera):
    cube, rgb = ESTIMATES["far"], camera.project(TRUTHS["smooth"])
    noises = (0.001, 0.01, 0.1, 1.0)
    left = [_residual(_consistent(cube, rgb, camera, noise=s), rgb, camera).mean() for s in noises]
    assert left == sorted(left) and left[-1] > 5 * left[0]


def test_changes_are_relative_to_the_spectrum_and_smooth(camera):
    """Twice the light, twice the change; a red edge in the estimate stays a red edge."""
    edge = torch.where(torch.arange(31) < 28, 0.05, 0.4)[None, :, None, None]
    rgb = 1.1 * camera.project(edge)
    found = _consistent(edge, rgb, camera)
    torch.testing.assert_close(_consistent(2 * edge, 2 * rgb, camera), 2 * found)
    ratio = (found / edge)[0, :, 0, 0]
    assert (ratio > 1).all() and ratio.diff().abs().max() < 0.02
    least = edge + camera.pseudo_invert(rgb - camera.project(edge))
    assert (least / edge)[0, :, 0, 0].diff().abs().max() > 0.02


def test_a_pixel_depends_on_itself_only(camera, monkeypatch):
    cube, rgb = ESTIMATES["far"], camera.project(TRUTHS["rough"])
    whole = _consistent(cube, rgb, camera)
    part = _consistent(cube[1:, :, 3:11, 5:9], rgb[1:, :, 3:11, 5:9], camera)
    torch.testing.assert_close(part, whole[1:, :, 3:11, 5:9], atol=1e-5, rtol=0)
    monkeypatch.setattr("hsi_xr.camera.consistency.CHUNK", 13)
    torch.testing.assert_close(_consistent(cube, rgb, camera), whole, atol=1e-5, rtol=0)


def test_an_impossible_colour_is_approximated_almost_optimally(camera):
    """Magenta without green, compared with non-negative least squares."""
    magenta = torch.rand(1, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    magenta[:, 1] *= 0.1
    found = camera.project(_consistent(ESTIMATES["far"][:1, :, :9, :11], magenta, camera))
    off = (found - magenta).norm(dim=1).flatten()
    columns, pixels = camera.response.double().numpy(), magenta[0].flatten(1).T.double().numpy()
    least = torch.tensor([nnls(columns, pixel)[1] for pixel in pixels])
    assert least.mean() > 0.01 and (off >= least - 1e-5).all()
    assert (off - least).max() < 0.01


def test_equal_channels_cause_no_error():
    grey = Camera(torch.ones(3, 31))
    rgb = torch.full((1, 3, 2, 5), 0.4)
    found = _consistent(torch.full((1, 31, 2, 5), 0.1), rgb, grey)
    assert (grey.project(found) - rgb).abs().max() <= HALF_STEP


REFLECTANCE = {"radiometry": "reflectance", "camera": CAMERA}


def _exact(image, model, **options):
    return hsi_xr.reconstruct(
        image, model, consistency="exact", residual=True, **REFLECTANCE, **options
    )


def test_the_cube_projects_to_the_scene_as_the_residual_states(slope):
    image = photographed(ground(97, 131))
    plain = hsi_xr.reconstruct(image, slope(), residual=True, **REFLECTANCE).compute()
    cube = _exact(image, slope()).compute()
    curves = np.array(SpectralResponse.of(CAMERA, BANDS).curves)
    for each in (plain, cube):
        seen = np.einsum("cb,byx->cyx", curves, each["reflectance"])
        off = np.sqrt(np.square(seen - image.values).mean(0))
        assert each["rgb_residual"].dtype == "float32" and each["rgb_residual"].dims == ("y", "x")
        np.testing.assert_allclose(each["rgb_residual"], off, atol=1e-6)
    assert plain["rgb_residual"].mean() > 0.05 > HALF_STEP >= cube["rgb_residual"].max()
    soft = hsi_xr.reconstruct(image, slope(), consistency="soft", residual=True, **REFLECTANCE)
    means = [float(each["rgb_residual"].mean()) for each in (cube, soft, plain)]
    assert means == sorted(means)


@pytest.mark.parametrize("chunks", [(97, 131), (64, 64), (1, 131), (37, 41)])
@pytest.mark.parametrize("batch", [1, 3])
def test_tiles_chunks_and_batches_do_not_change_the_cube(slope, chunks, batch):
    pixels, model = ground(97, 131), slope()
    survey = hsi_xr.survey(photographed(pixels), model, exact=True, **REFLECTANCE)
    whole = _exact(photographed(pixels), model).compute()
    image = photographed(pixels, chunks=chunks)
    tiled = _exact(image, model, tile=64, batch=batch, survey=survey).compute()
    for name in ("reflectance", "rgb_residual"):
        np.testing.assert_allclose(tiled[name], whole[name], atol=1e-4)


def test_blended_tiles_are_consistent(slope):
    """Also, the residual is that of the blend."""
    model = slope(pull=0.5, context="tile")
    cube = _exact(photographed(ground(97, 131)), model, tile=64).compute()
    assert cube.attrs["hsi_xr_blend"] and cube["rgb_residual"].max() <= HALF_STEP
    plain = hsi_xr.reconstruct(
        photographed(ground(97, 131)), model, tile=64, residual=True, **REFLECTANCE
    ).compute()
    curves = np.array(SpectralResponse.of(CAMERA, BANDS).curves)
    seen = np.einsum("cb,byx->cyx", curves, plain["reflectance"])
    off = np.sqrt(np.square(seen - photographed(ground(97, 131)).values).mean(0))
    np.testing.assert_allclose(plain["rgb_residual"], off, atol=1e-6)


def test_the_mean_of_samples_is_consistent_and_they_still_differ():
    image = photographed(ground(40, 52))
    cube = _exact(image, "default", samples=3).compute()
    assert cube["rgb_residual"].max() <= HALF_STEP
    assert cube["reflectance_std"].max() > 1e-3
    assert cube["reflectance"].attrs["ancillary_variables"] == "reflectance_std rgb_residual"


def test_invalid_pixels_stay_invalid_and_do_not_spread(slope):
    pixels = ground(60, 71)
    holes = np.random.default_rng(0).random((60, 71)) < 0.1
    holed = photographed(np.where(holes, np.nan, pixels), chunks=None)
    cube = _exact(holed, slope())
    for name in ("reflectance", "rgb_residual"):
        np.testing.assert_array_equal(np.isnan(cube[name]).any(set(cube[name].dims) - {"y", "x"}),
                                      holes)  # fmt: skip
    assert cube["rgb_residual"].max() <= HALF_STEP


def test_the_product_records_the_camera_and_its_checksum(slope):
    image, model = photographed(ground(40, 52)), slope()
    attrs = _exact(image, model).attrs
    named = SpectralResponse.of(CAMERA, BANDS)
    assert attrs["hsi_xr_camera"] == CAMERA and attrs["hsi_xr_camera_sha256"] == named.sha256
    assert attrs["hsi_xr_consistency"] == "exact"
    srgb = hsi_xr.reconstruct(scene(40, 52), model, camera=CAMERA).attrs
    assert srgb["hsi_xr_camera"] == CAMERA and "hsi_xr_consistency" not in srgb
    assert CAMERA in str(hsi_xr.plan(image, model, consistency="soft", **REFLECTANCE))
    of_array = hsi_xr.reconstruct(image, model, radiometry="reflectance", camera=np.ones((3, 31)))
    assert of_array.attrs["hsi_xr_camera"] == "as numbers"


def test_an_unknown_camera_changes_nothing(slope):
    image, model = scene(40, 52), slope()
    plain = hsi_xr.reconstruct(image, model)
    for camera in ("unknown", CAMERA, None):
        cube = image.hsi.reconstruct(model, camera=camera)
        assert cube["reflectance"].data.name == plain["reflectance"].data.name
    assert "hsi_xr_camera" not in plain.attrs | image.hsi.reconstruct(model, camera="unknown").attrs


def test_work_with_another_camera_has_another_token(slope):
    image, model = photographed(ground(40, 52)), slope()
    options = {"radiometry": "reflectance", "consistency": "exact"}
    names = {
        hsi_xr.reconstruct(image, model, **{**options, **other})["reflectance"].data.name
        for camera in (CAMERA, "nikon-d850")
        for other in ({"camera": camera}, {"camera": camera, "consistency": "soft"})
    }
    assert len(names) == 4


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"consistency": "exact", "radiometry": "reflectance"}, MissingFact, "camera='hassel"),
        ({"residual": True, "camera": "unknown"}, MissingFact, "hsi_xr.cameras"),
        ({"consistency": "soft", "camera": CAMERA}, UsageError, "sRGB .* radiometry='reflectance'"),
        (
            {"residual": True, "camera": CAMERA, "radiometry": "linear", "scale": 0.1},
            UsageError,
            "unknown exposure.* radiometry='reflectance'",
        ),
        (
            {"consistency": "strict", "camera": CAMERA},
            UnknownName,
            "'strict'; choose exact or soft",
        ),
        ({"camera": "nikon-d85"}, UnknownName, "did you mean 'nikon-d850'"),
        ({"camera": np.ones((3, 30))}, UsageError, r"got \(3, 30\)"),
    ],
)
def test_meaningless_options_are_refused_while_planning(options, error, message):
    if options.get("radiometry") == "reflectance":
        options = {**options, "scale": 1 / 255}
    with pytest.raises(error, match=message):
        hsi_xr.plan(scene(40, 52), **options)


def test_the_residual_is_written_and_read_without_loss(slope, tmp_path):
    holed = photographed(np.where(np.arange(71) < 9, np.nan, ground(60, 71)))
    cube = hsi_xr.reconstruct(holed, slope(), residual=True, **REFLECTANCE)
    hsi_xr.write(cube, tmp_path / "cube.tif", scale=1e-3)
    read = hsi_xr.open(tmp_path / "cube_residual.tif")
    assert read.name == "rgb_residual" and stored_dtype(read) == "float32"
    np.testing.assert_array_equal(read[0], cube["rgb_residual"])
    assert read.attrs["hsi_xr_camera"] == CAMERA
    item = hsi_xr.describe(tmp_path / "cube.tif", datetime="2026-01-02T03:04:05Z").to_dict()
    assert item["properties"]["hsi_xr:camera"] == CAMERA
    asset = item["assets"]["residual"]
    assert asset["roles"] == ["data", "residual"] and "root mean square" in asset["title"]
    assert asset["proj:shape"] == [60, 71] and len(asset["bands"]) == 1


def test_a_run_is_not_resumed_with_another_camera(slope, tmp_path):
    image, path = photographed(ground(600, 130)), tmp_path / "cube.tif"

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    def cube(camera: str):
        return hsi_xr.reconstruct(
            image, slope(), tile=128, radiometry="reflectance", camera=camera, consistency="exact"
        )

    with pytest.raises(KeyboardInterrupt):
        hsi_xr.write(cube(CAMERA), path, scale=1e-3, progress=stop)
    with pytest.raises(UsageError, match="hsi_xr_camera was"):
        hsi_xr.write(cube("nikon-d850"), path, scale=1e-3, resume=True)
    hsi_xr.write(cube(CAMERA), path, scale=1e-3, resume=True)
    assert hsi_xr.open(path).attrs["hsi_xr_camera"] == CAMERA
