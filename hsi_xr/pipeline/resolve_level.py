"""Decides the source of a scene's level: the caller, a reference, a survey, or the colours."""

from hsi_xr.checkpoints.card import Card
from hsi_xr.errors import UsageError
from hsi_xr.pipeline.brightness import OPTION
from hsi_xr.pipeline.level import StatedLevel, check_level_options, level_of
from hsi_xr.pipeline.level_from import Reference
from hsi_xr.pipeline.scene import Input, Scene
from hsi_xr.pipeline.scene_statistics import Survey


def resolve_level(
    scene: Scene,
    card: Card,
    survey: Survey | None,
    *,
    level: float | None,
    white: float | None,
    level_from: Input | None,
    level_radiometry: str | None,
) -> StatedLevel | Reference | None:
    """Returns the level that the caller or a survey states; None if it is to be estimated.

    Raises:
        HsiError: The level is stated twice, is impossible, or does not apply to the scene or the
            model; or the reference cannot be compared with the scene.
    """
    check_level_options(scene, card, level=level, white=white, level_from=level_from)
    if level_radiometry is not None and level_from is None:
        raise UsageError(
            "level_radiometry= (--level-radiometry) says what the values of a reference mean; "
            f"pass a reference as {OPTION}, or omit it"
        )
    stated = level_of(scene.radiometry, scene.meaning.bands[0].dtype, level=level, white=white)
    if stated is not None:
        return stated
    if survey is not None and (survey.level is not None or level_from is None):
        return survey.level
    if survey is not None:
        raise UsageError(
            f"the survey estimated the level, but this run has {OPTION}; survey the scene again "
            "with the same reference, or omit it"
        )
    return None if level_from is None else Reference.of(scene, level_from, level_radiometry)
