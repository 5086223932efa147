"""A camera is a linear operator; its adjoint and pseudo-inverse obey their laws."""

import pytest
import torch

from hsi_xr.camera.operator import Camera


@pytest.fixture
def camera():
    response = torch.rand(3, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Camera(response + torch.eye(3, 11, dtype=torch.float64))


def _cube(seed=1):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(2, 11, 5, 7, generator=rng, dtype=torch.float64)


def test_a_white_reflector_is_white(camera):
    white = camera.project(torch.ones(1, 11, 3, 2, dtype=torch.float64))
    torch.testing.assert_close(white, torch.ones_like(white))


def test_back_projection_is_the_adjoint(camera):
    cube, rgb = _cube(), torch.rand(2, 3, 5, 7, dtype=torch.float64)
    left, right = (camera.project(cube) * rgb).sum(), (cube * camera.back_project(rgb)).sum()
    torch.testing.assert_close(left, right)


def test_the_pseudo_inverse_projects_to_the_image(camera):
    rgb = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(camera.project(camera.pseudo_invert(rgb)), rgb)


def test_the_pseudo_inverse_has_the_least_norm(camera):
    cube = _cube()
    assert camera.pseudo_invert(camera.project(cube)).norm() <= cube.norm()


@pytest.mark.parametrize("response", [torch.ones(2, 11), torch.zeros(3, 11), torch.ones(3)])
def test_an_invalid_response_is_refused(response):
    with pytest.raises(ValueError, match="response"):
        Camera(response)
