"""Objectives of one stage: regression, denoising, a game of two. See `turns`."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from hsi_xr.band_grid import Bands
from hsi_xr.camera.spectral_response import sensitivities
from hsi_xr.errors import UsageError
from hsi_xr.networks import srcgan
from hsi_xr.networks.sdp import SpectralPrior
from hsi_xr.reconstructors._base import DiffusionReconstructor, FittedReconstructor, Reconstructor
from hsi_xr.training import config, losses
from hsi_xr.training.patches import Batch
from hsi_xr.training.two_stage import two_stage
from hsi_xr.training.updates import Losses, Objective, Turn, of_one_pass, trainable

SEEN = 32
"""Side of the smallest picture that the critic answers on."""


def objective(run: config.Run, model: Reconstructor, bands: Bands) -> Objective:
    """What a run asks for, of a model that answers on these bands.

    Raises:
        UsageError: The system cannot be trained so.
        UnreadableFile: There is no file of the camera.
        InvalidData: It does not tell of all bands.
    """
    wanted, steps = run.objective, run.schedule.steps
    if isinstance(wanted, config.Denoising):
        return denoising(wanted, model, steps)
    if isinstance(wanted, config.Adversarial):
        if run.data.patch < SEEN:
            raise UsageError(f"the critic judges patches of {SEEN} px and more; see data.patch")
        return adversarial(wanted, model, steps)
    if isinstance(wanted, config.TwoStage):
        return two_stage(wanted, model, steps)
    if isinstance(wanted, config.ClosedForm):
        return closed_form(model, steps)
    return regression(wanted, model, steps, bands)


def closed_form(model: Reconstructor, steps: int) -> Objective:
    """Nobody's turn: `begin.fit_first` has done it all."""
    if not isinstance(model, FittedReconstructor) or trainable(model):
        raise UsageError(
            "objective.kind = 'closed-form' fits systems that have nothing else to learn; "
            f"{type(model).__name__} has"
        )
    if steps != 1:
        raise UsageError(f"a fit in closed form is one step; got schedule.steps = {steps}")
    return Objective((), nn.ModuleDict())


def regression(
    wanted: config.Regression, model: Reconstructor, steps: int, bands: Bands
) -> Objective:
    front, network = of_one_pass(model, "regression")
    if isinstance(model, DiffusionReconstructor):
        raise UsageError("a system that diffuses cubes is trained by objective.kind = 'denoising'")
    if isinstance(getattr(model, "prior", None), SpectralPrior):
        raise UsageError("a system with a prior is trained by objective.kind = 'two-stage'")
    if not (learned := trainable(network)):
        raise UsageError("a system without gradients is fitted by objective.kind = 'closed-form'")
    distance = losses.named(wanted.loss, dark=wanted.dark)
    camera = None if wanted.camera is None else sensitivities(wanted.camera, bands)

    def loss(batch: Batch, rng: Generator) -> Losses:
        found = network(front(batch.rgb, batch.facts))
        cubes = distance(found, batch.cube, batch.known)
        if camera is None or wanted.camera_weight is None:
            return {wanted.loss: cubes}
        colours = losses.colours(found, batch.cube, batch.known, torch.from_numpy(camera))
        total = cubes + wanted.camera_weight * colours
        return {"loss": total, wanted.loss: cubes, "camera": colours}

    turn = Turn("regression", learned, loss, range(steps))
    return Objective((turn,), nn.ModuleDict())


def denoising(wanted: config.Denoising, model: Reconstructor, steps: int) -> Objective:
    """Step and noise are drawn anew for every patch.

    Source: Ho et al. 2020 (arXiv:2006.11239), algorithm 1; x0 in place of the noise as there in
    section 3.2. The weight of the gradients is that of R2H-Diff (arXiv:2605.05688).
    """
    if not isinstance(model, DiffusionReconstructor):
        raise UsageError(
            f"objective.kind = 'denoising' trains systems that diffuse cubes; "
            f"{type(model).__name__} does not"
        )
    target = wanted.target or model.predicts
    distance = {"l1": losses.l1, "l2": losses.l2}[wanted.norm]

    def loss(batch: Batch, rng: Generator) -> Losses:
        # a chain's scale may be a regression's, which a reduced precision would spoil
        kind = rng.device.type
        reduced = torch.is_autocast_enabled(kind)
        with torch.autocast(kind, enabled=False):
            return measured(batch, rng, torch.autocast(kind, enabled=reduced))

    def measured(batch: Batch, rng: Generator, reduced: torch.autocast) -> Losses:
        denoising_target = model.denoising_target(batch.rgb, batch.cube, batch.facts)
        step, share = _steps(model.keep, len(batch.cube), rng, denoising_target.clean)
        noise = torch.randn(denoising_target.clean.shape, generator=rng, device=rng.device)
        noisy = share.sqrt() * denoising_target.clean + (1 - share).sqrt() * noise
        with reduced:
            answer = denoising_target.predict(noisy, step)
        clean, seen = _both(answer.float(), noisy, share, model.predicts)
        found, truth = (clean, denoising_target.clean) if target == "x0" else (seen, noise)
        parts: Losses = {target: distance(found, truth, batch.known)}
        if wanted.gradient:
            parts["gradient"] = losses.gradients(clean, denoising_target.clean, batch.known)
        if wanted.mrae:
            cube = denoising_target.decode(clean)
            parts["mrae"] = losses.mrae(cube, batch.cube, batch.known, dark=wanted.dark)
        weights = {target: 1.0, "gradient": wanted.gradient, "mrae": wanted.mrae}
        total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        return {"loss": total, **parts}

    turn = Turn("denoising", trainable(model), loss, range(steps))
    return Objective((turn,), nn.ModuleDict())


def _steps(keep: Tensor, count: int, rng: Generator, like: Tensor) -> tuple[Tensor, Tensor]:
    """Steps from 1, and the shares of signal variance that they leave, (count, 1, 1, 1)."""
    step = torch.randint(1, len(keep), (count,), generator=rng, device=rng.device)
    return step, keep.to(like)[step][:, None, None, None]


def _both(answer: Tensor, noisy: Tensor, share: Tensor, predicts: str) -> tuple[Tensor, Tensor]:
    """The clean chain and the noise that an answer implies; two views of one estimate."""
    if predicts == "x0":
        return answer, (noisy - share.sqrt() * answer) / (1 - share).sqrt()
    return (noisy - (1 - share).sqrt() * answer) / share.sqrt(), answer


def adversarial(wanted: config.Adversarial, model: Reconstructor, steps: int) -> Objective:
    """The critic's turn, then the generator's, in every step.

    Source: Isola et al. 2017 (arXiv:1611.07004), eq. 4, with the generator's loss that does not
    saturate; as Alvarez-Gila et al. 2017 (arXiv:1709.00265) train.
    """
    front, network = of_one_pass(model, "adversarial")
    if not isinstance(network, srcgan.Generator):
        raise UsageError("objective.kind = 'adversarial' trains a system with a generator: srcgan")
    critic = srcgan.Discriminator(network.head.out_channels, width=wanted.width)

    def judge(batch: Batch, rng: Generator) -> Losses:
        seen = front(batch.rgb, batch.facts)
        with torch.no_grad():
            made = network(seen, drop=dropped(rng))
        real, fake = (
            _verdict(critic(seen, batch.cube), 1),
            _verdict(critic(seen, made * batch.known), 0),
        )
        return {"critic": (real + fake) / 2}

    def generate(batch: Batch, rng: Generator) -> Losses:
        seen = front(batch.rgb, batch.facts)
        made = network(seen, drop=dropped(rng))
        # what is not known must not tell a generated cube from a real one
        deceived = _verdict(critic(seen, made * batch.known), 1)
        l1 = losses.l1(made, batch.cube, batch.known)
        return {"generator": deceived + wanted.l1 * l1, "deceived": deceived, "l1": l1}

    turns = (
        Turn("critic", trainable(critic), judge, range(steps), wanted.critic_rate),
        Turn("generator", trainable(network), generate, range(steps)),
    )
    return Objective(turns, nn.ModuleDict({"critic": critic}))


def _verdict(logits: Tensor, real: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, real))


def dropped(rng: Generator) -> srcgan.Drop:
    """Dropout of one half that draws from a generator of the run's."""

    def drop(features: Tensor, block: int) -> Tensor:
        coins = torch.rand(features.shape, generator=rng, device=rng.device)
        return 2 * features * (coins < 0.5)

    return drop
