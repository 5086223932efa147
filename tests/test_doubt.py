"""A system that tells its doubt: its answers through the one way that data flows."""

import numpy as np
import pytest

import hsi_xr
from hsi_xr.errors import UsageError
from tests.scenes import scene

MODEL = {"model": "guided-posterior", "untrained": True}
TOLD = {"samples": 2, "out_of_domain": True}


def test_tiles_of_a_survey_tell_the_doubt_that_the_whole_does():
    image = scene(91, 150)
    survey = hsi_xr.survey(image, **MODEL, exact=True)
    whole = hsi_xr.reconstruct(image, **MODEL, **TOLD).compute()
    tiled = hsi_xr.reconstruct(image, **MODEL, **TOLD, tile=64, survey=survey).compute()
    assert {*whole.data_vars} == {"reflectance", "reflectance_std", "out_of_domain"}
    for name, variable in whole.data_vars.items():
        np.testing.assert_allclose(tiled[name], variable, atol=1e-5, err_msg=str(name))


def test_the_number_of_samples_does_not_matter_to_it():
    image = scene(40, 52)
    few, many = (hsi_xr.reconstruct(image, **MODEL, samples=n).compute() for n in (2, 9))
    np.testing.assert_array_equal(few.reflectance_std, many.reflectance_std)
    np.testing.assert_array_equal(
        few.reflectance, hsi_xr.reconstruct(image, **MODEL).reflectance.compute()
    )


def test_the_product_tells_its_steps():
    image = scene(40, 52)
    given, other = (
        hsi_xr.reconstruct(image, **MODEL, steps=n).attrs["hsi_xr_steps"] for n in (None, 0)
    )
    assert (given, other) == (1, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({**MODEL, "steps": 3}, "runs in 0, 1, 2, 5 steps; got 3"),
        ({"model": "root-polynomial", "out_of_domain": True}, "does not tell"),
        ({"model": "root-polynomial", "steps": 2}, "runs in 1 steps"),
    ],
)
def test_what_a_model_does_not_offer_is_refused_while_planning(options, words):
    with pytest.raises(UsageError, match=words):
        hsi_xr.plan(scene(40, 52), **options)


@pytest.mark.parametrize("changed", [{"steps": 0}, {"camera": "canon-eos-r5"}])
def test_a_survey_of_another_chain_or_camera_is_refused(changed):
    image = scene(40, 52)
    survey = hsi_xr.survey(image, **MODEL)
    with pytest.raises(UsageError, match="survey the scene again"):
        hsi_xr.plan(image, **MODEL, **changed, survey=survey)
