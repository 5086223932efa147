"""The one loop. It knows turns, and no system."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import torch

from hsi_xr.datasets._base import DataSet
from hsi_xr.errors import DestinationExists, DestinationUnwritable, Diverged, UsageError
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.training import checkpoints, setup
from hsi_xr.training.config import Run
from hsi_xr.training.distributed import join
from hsi_xr.training.log import Log
from hsi_xr.training.objectives import objective
from hsi_xr.training.patches import Batch, Patches, Scenes, Use
from hsi_xr.training.rates import rate_at
from hsi_xr.training.updates import Turn
from hsi_xr.training.validation import Validation

LAST, BEST = "last.pt", "best.pt"
CHOICE = "mrae"
"""The score whose least value is best."""

Report = Callable[[int, int, Mapping[str, float]], None]
"""(steps done, steps in all, what was measured) -> None."""


class Training:
    """A run under way: everything that a checkpoint holds.

    Raises:
        DestinationExists: There is a checkpoint already and it is not to be resumed.
        InvalidCheckpoint: There is none to resume.
        UsageError: The run contradicts the data, its system, or the run that it resumes.
    """

    def __init__(self, run: Run, data: DataSet, *, resume: bool = False) -> None:
        self.run, self.data = run, data
        if run.out.joinpath(LAST).exists() and not resume:
            raise DestinationExists(
                f"there is a training in {str(run.out)!r}; go on with --resume, or give another out"
            )
        self.ranks, self.device = join(run.device)
        self.model, self.card = setup.new_model(run, data)
        self.stride = _stride(self.model, self.card.stride)
        if run.data.patch % self.stride:
            raise UsageError(
                f"data.patch must be a multiple of {self.stride}; got {run.data.patch}"
            )
        with setup.seeded(run.seed, Use.BESIDE):
            self.objective = objective(run, self.model, data.bands)
        self.patches, self.validation = self._material()
        self.done = 0
        self.best: dict[str, float] = {}
        if not resume:
            setup.fit_first(self.model, self.patches)
        self.model.to(self.device)
        self.objective.beside.to(self.device)
        self.average = {key: each.clone() for key, each in self.model.state_dict().items()}
        self.optimisers = {
            turn.name: torch.optim.Adam(turn.parameters, run.optimiser.rate, run.optimiser.betas)
            for turn in self.objective.turns
        }
        kind = torch.device(self.device).type
        self.scaler = torch.amp.GradScaler(kind, enabled=run.precision == "float16")
        if resume:
            self._resume()
        if run.compile:
            network: Any = self.model.network
            network.compile()

    def _material(self) -> tuple[Patches, Validation]:
        wanted = self.run.data
        # a copy, for the model may leave for another device; no survey depends on the training
        survey = setup.survey_of(copy.deepcopy(self.model))
        scenes = Scenes(self.data, survey, kept=wanted.kept)
        patches = Patches(scenes, setup.split(self.data, wanted.train), wanted, seed=self.run.seed)
        names = setup.split(self.data, wanted.validation) if self.run.schedule.validate else ()
        whole = Scenes(self.data, lambda rgb, weights: {}, kept=1)
        chosen = names[: wanted.scenes]
        return patches, Validation(
            *(whole, chosen, self.data.bands, self.stride, wanted.crop, self.run.seed)
        )

    def finish(self, report: Report = lambda done, steps, values: None) -> None:
        """Takes the steps that are left.

        Raises:
            Diverged: A loss or gradient is no number; the last checkpoint is kept.
            DestinationUnwritable: The folder cannot be made.
            Incomplete: A checkpoint or the log could not be written; the last checkpoint is kept.
        """
        steps, log = self.run.schedule.steps, self._opened()
        batches = self._batches()
        while self.done < steps:
            values = self.step(list(islice(batches, self.run.optimiser.accumulate)))
            if log:
                values |= self._record(log, values)
            report(self.done, steps, values)
        if log:
            log.close()
        self.ranks.wait()

    def _opened(self) -> Log | None:
        """The log, and a checkpoint to fall back on, of the process that writes."""
        if not self.ranks.first:
            return None
        try:
            self.run.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DestinationUnwritable(
                f"the folder {str(self.run.out)!r} cannot be made ({error.strerror or error}); "
                "give another out"
            ) from error
        if not self.done:
            (self.run.out / BEST).unlink(missing_ok=True)  # of a run that is not gone on with
            self._save()
        return Log(self.run.out, done=self.done)

    def _record(self, log: Log, values: Mapping[str, float]) -> dict[str, float]:
        """Validates, logs and saves when it is time to; the scores."""
        schedule = self.run.schedule
        scores = self._validate(log) if self._due(schedule.validate) else {}
        if scores or self._due(schedule.log):
            log.scalars(self.done, {**values, **scores})
        if self._due(schedule.save):
            self._save()
        return scores

    def _due(self, every: int) -> bool:
        """Whether it is time for what is done every so many steps, 0 being never, and at last."""
        return every > 0 and (self.done % every == 0 or self.done == self.run.schedule.steps)

    def _batches(self) -> Iterator[Batch]:
        """Those of this process, from the next step on."""
        each = self.run.optimiser.accumulate * self.ranks.count
        left = range(self.done * each, self.run.schedule.steps * each)
        return self.patches.run(left[self.ranks.rank :: self.ranks.count])

    def step(self, batches: list[Batch]) -> dict[str, float]:
        """Every turn that is due, once; what was measured."""
        self.model.train()
        self.objective.beside.train()
        values: dict[str, float] = {}
        here = [batch.to(self.device) for batch in batches]
        for place, turn in enumerate(self.objective.turns):
            if self.done in turn.steps:
                values |= self._take(turn, place, here)
        if self.scaler.is_enabled():
            self.scaler.update()
        for part in (self.model, self.objective.beside):
            # statistics of batches, which each process has of its own
            self.ranks.average(each for each in part.buffers() if each.is_floating_point())
        self._follow()
        self.done += 1
        return values

    def _take(self, turn: Turn, place: int, batches: list[Batch]) -> dict[str, float]:
        wanted, optimiser = self.run.optimiser, self.optimisers[turn.name]
        rate = rate_at(self.done - turn.steps.start, len(turn.steps), wanted)
        if turn.rate is not None:
            rate *= turn.rate / wanted.rate
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        values = {f"{turn.name}/rate": rate}
        for part, batch in enumerate(batches):
            number = (self.done * len(batches) + part) * self.ranks.count + self.ranks.rank
            for name, value in self._backward(turn, (number, place), batch).items():
                known = values.get(f"{turn.name}/{name}", 0.0)
                values[f"{turn.name}/{name}"] = known + value / len(batches)
        # first, for it is the scaler that meets an overflow, and so it must in every process
        self.ranks.average(each.grad for each in turn.parameters)
        self.scaler.unscale_(optimiser)
        norm = torch.nn.utils.clip_grad_norm_(turn.parameters, wanted.clip or math.inf)
        # in half precision an overflow is met with a smaller scale, and no step
        if not norm.isfinite() and not self.scaler.is_enabled():
            raise self._diverged(f"the gradient of {turn.name!r} is {norm.item()}", batches)
        self.scaler.step(optimiser)
        return values

    def _backward(self, turn: Turn, place: tuple[int, int], batch: Batch) -> dict[str, float]:
        kind, reduced = torch.device(self.device).type, self.run.precision != "float32"
        dtype = getattr(torch, self.run.precision) if reduced else torch.bfloat16
        with setup.seeded(self.run.seed, Use.LOSSES, *place, device=self.device) as rng:
            with torch.autocast(kind, dtype, enabled=reduced):
                losses = turn.loss(batch, rng)
            values = {name: float(value.detach()) for name, value in losses.items()}
            if wrong := [name for name, value in values.items() if not math.isfinite(value)]:
                told = ", ".join(f"{name!r} is {values[name]}" for name in wrong)
                raise self._diverged(f"of the losses of {turn.name!r}, {told}", [batch])
            total = next(iter(losses.values())) / self.run.optimiser.accumulate
            # the other networks that the loss ran through stay as they are
            self.scaler.scale(total).backward(inputs=turn.parameters)
        return values

    def _diverged(self, what: str, batches: list[Batch]) -> Diverged:
        seen = ", ".join(sorted({name for batch in batches for name in batch.names}))
        if not all(each.isfinite().all() for batch in batches for each in (batch.cube, batch.rgb)):
            cause = "the scenes have values that are no numbers"
        elif not all(each.isfinite().all() for each in self.model.state_dict().values()):
            cause = "a step before was too large; a smaller optimiser.rate or optimiser.clip helps"
        else:
            cause = (
                "scenes and weights are finite; a smaller optimiser.rate or optimiser.clip helps"
            )
        return Diverged(
            f"at step {self.done + 1} {what}{f', on patches of {seen}' if seen else ''}: {cause}. "
            f"{str(self.run.out / LAST)!r} has the last good state"
        )

    @torch.no_grad()
    def _follow(self) -> None:
        """The running average; at first it follows faster, as it began at random weights."""
        keep = min(self.run.ema, (1 + self.done) / (10 + self.done))
        for key, each in self.model.state_dict().items():
            if each.is_floating_point():
                self.average[key].lerp_(each, 1 - keep)
            else:
                self.average[key].copy_(each)

    def _validate(self, log: Log) -> dict[str, float]:
        """Scores of the average; keeps it where it is the best so far."""
        scores, panel = self.validation.of(self.averaged(), self.device)
        log.panel(self.done, "estimate, truth, difference", panel)
        if not self.best or scores[CHOICE] < self.best[CHOICE]:
            self.best = {"step": self.done, **scores}
            state = {"done": self.done, "average": self.average, "scores": self.best}
            checkpoints.write(state, self.run.out / BEST)
        return {f"validation/{name}": value for name, value in scores.items()}

    def averaged(self) -> Reconstructor:
        """A model beside the one in training, with the averaged weights, in evaluation."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.average)
        return model.eval()

    def _save(self) -> None:
        if not all(each.isfinite().all() for each in self.model.state_dict().values()):
            raise self._diverged("the weights are no numbers", [])
        checkpoints.write(self.state(), self.run.out / LAST)

    def state(self) -> dict[str, Any]:
        """All that a run goes on from; random numbers follow from the seed and the step."""
        return {
            "run": setup.facts_of(self.run),
            "processes": self.ranks.count,
            "done": self.done,
            "model": self.model.state_dict(),
            "average": self.average,
            "beside": self.objective.beside.state_dict(),
            "optimisers": {name: each.state_dict() for name, each in self.optimisers.items()},
            "scaler": self.scaler.state_dict(),
            "best": self.best,
        }

    def _resume(self) -> None:
        state = checkpoints.read(self.run.out / LAST)
        if keys := setup.changed(state["run"], setup.facts_of(self.run)):
            raise UsageError(
                f"the run in {str(self.run.out)!r} was begun with another {', '.join(keys)}; "
                "resume it as it was, or give another out"
            )
        if (count := state.get("processes", 1)) != self.ranks.count:
            raise UsageError(
                f"the run in {str(self.run.out)!r} was begun with {count} processes, and not "
                f"{self.ranks.count}, which would draw other batches; resume it as it was, or give "
                "another out"
            )
        self.model.load_state_dict(state["model"])
        self.objective.beside.load_state_dict(state["beside"])
        for name, each in self.optimisers.items():
            each.load_state_dict(state["optimisers"][name])
        self.scaler.load_state_dict(state["scaler"])
        self.average = {key: each.to(self.device) for key, each in state["average"].items()}
        self.done, self.best = state["done"], state["best"]


def _stride(model: Reconstructor, otherwise: int) -> int:
    """What rows and columns are multiples of; it may follow from the configuration."""
    for part in (model, getattr(model, "network", None)):
        if isinstance(found := getattr(part, "stride", None), int):
            return found
    return otherwise
