"""The training loop, which does not depend on the system that is trained."""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Generic, cast

import torch
from torch import Tensor

from hsi_xr.errors import Diverged, UsageError
from hsi_xr.reconstructors._base import Reconstructor
from hsi_xr.training import checkpoints
from hsi_xr.training.average import running_average
from hsi_xr.training.checkpoints import BEST, LAST
from hsi_xr.training.distributed import join
from hsi_xr.training.log import Log
from hsi_xr.training.optimiser import optimisers
from hsi_xr.training.patches import read_ahead
from hsi_xr.training.seeds import Use, seeded
from hsi_xr.training.settings import Settings, as_plain
from hsi_xr.training.updates import B, ParameterUpdate, Task

SELECTED_BY = "mrae"
"""The score that selects the best checkpoint, by its minimum."""

Report = Callable[[int, int, Mapping[str, float]], None]
"""Called after each step with the steps taken, those of the whole run, and what was measured."""


class Training(Generic[B]):
    """A run in progress: everything that a checkpoint contains.

    Args:
        task: What to train.
        settings: How to train it.
        resume: Continue from the last checkpoint in the folder.

    Raises:
        DestinationExists: The folder contains a training run, and `resume` is not set.
        InvalidCheckpoint: No checkpoint to resume from, or one that this version cannot read.
        UsageError: The settings differ from those of the run to resume.
    """

    def __init__(self, task: Task[B], settings: Settings, *, resume: bool = False) -> None:
        state = checkpoints.state_to_resume(settings, resume=resume)
        self.task, self.settings = task, settings
        self.ranks, self.device = join(settings.device)
        if state is None:
            task.fit()
        self.model = task.model.to(self.device)
        self.auxiliary = task.objective.auxiliary.to(self.device)
        self._average = running_average(self.model, decay=settings.ema)
        self.optimisers = optimisers(task.objective, settings.optimiser)
        self.scaler = torch.amp.GradScaler(
            torch.device(self.device).type, enabled=settings.precision == "float16"
        )
        self.done = 0
        self.best: dict[str, float] = {}
        if state is not None:
            self._load(state)

    @property
    def averaged(self) -> Reconstructor:
        """The model with the averaged weights, in evaluation mode."""
        return cast(Reconstructor, self._average.module.eval())

    def finish(self, report: Report = lambda done, steps, values: None) -> None:
        """Take the remaining steps.

        Raises:
            Diverged: A loss or gradient is not finite; the last checkpoint is kept.
            DestinationUnwritable: The folder cannot be created.
            Incomplete: A checkpoint or the log could not be written; the last checkpoint is kept.
        """
        steps, log = self.settings.schedule.steps, self._open_log()
        batches = self._batches()
        while self.done < steps:
            values = self.step(list(islice(batches, self.settings.optimiser.accumulate)))
            if log:
                values |= self._record(log, values)
            report(self.done, steps, values)
        if log:
            log.close()
        self.ranks.wait()

    def _open_log(self) -> Log | None:
        """Write the first checkpoint and open the log, in the process that writes files."""
        if not self.ranks.first:
            return None
        out = self.settings.out
        checkpoints.create_folder(out)
        if not self.done:
            (out / BEST).unlink(missing_ok=True)  # of an earlier run
            self._save()
        return Log(out, done=self.done)

    def _batches(self) -> Iterator[B]:
        """Returns the batches of this process, from the next step on."""
        per_step = self.settings.optimiser.accumulate * self.ranks.count
        remaining = range(self.done * per_step, self.settings.schedule.steps * per_step)
        numbers = remaining[self.ranks.rank :: self.ranks.count]
        return read_ahead(self.task.draw, numbers, workers=self.task.workers)

    def step(self, batches: list[B]) -> dict[str, float]:
        """Run every update of this step once; returns what was measured."""
        modules = (self.model, self.auxiliary)
        for module in modules:
            module.train()
        values: dict[str, float] = {}
        moved = [batch.to(self.device) for batch in batches]
        for index, update in enumerate(self.task.objective.updates):
            if self.done in update.steps:
                values |= self._update(update, index, moved)
        if self.scaler.is_enabled():
            self.scaler.update()
        for module in modules:
            # batch statistics, which differ between processes
            self.ranks.average(b for b in module.buffers() if b.is_floating_point())
        self._average.update_parameters(self.model)
        self.done += 1
        return values

    def _update(self, update: ParameterUpdate[B], index: int, batches: list[B]) -> dict[str, float]:
        settings, optimiser = self.settings.optimiser, self.optimisers[update.name]
        rate = settings.learning_rate(self.done - update.steps.start, len(update.steps))
        if update.rate is not None:
            rate *= update.rate / settings.rate
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        values = {f"{update.name}/rate": rate}
        for part, batch in enumerate(batches):
            number = (self.done * len(batches) + part) * self.ranks.count + self.ranks.rank
            for name, value in self._backward(update, (number, index), batch).items():
                key = f"{update.name}/{name}"
                values[key] = values.get(key, 0.0) + value / len(batches)
        # before the scaler looks for overflows, so that every process finds them
        self.ranks.average(parameter.grad for parameter in update.parameters)
        self.scaler.unscale_(optimiser)
        norm = torch.nn.utils.clip_grad_norm_(update.parameters, settings.clip or math.inf)
        # in half precision the scaler skips the step and reduces the scale
        if not norm.isfinite() and not self.scaler.is_enabled():
            raise self._diverged(f"the gradient of {update.name!r} is {norm.item()}", batches)
        self.scaler.step(optimiser)
        return values

    def _backward(
        self, update: ParameterUpdate[B], position: tuple[int, int], batch: B
    ) -> dict[str, float]:
        kind, precision = torch.device(self.device).type, self.settings.precision
        reduced = precision != "float32"
        dtype = getattr(torch, precision) if reduced else torch.bfloat16
        with seeded(self.settings.seed, Use.LOSSES, *position, device=self.device) as rng:
            with torch.autocast(kind, dtype, enabled=reduced):
                losses = update.loss(batch, rng)
            values = {name: float(value.detach()) for name, value in losses.items()}
            if wrong := [name for name, value in values.items() if not math.isfinite(value)]:
                stated = ", ".join(f"{name!r} is {values[name]}" for name in wrong)
                raise self._diverged(f"loss {stated} in the update {update.name!r}", [batch])
            total = next(iter(losses.values())) / self.settings.optimiser.accumulate
            # networks of other updates that the loss runs through get no gradient
            self.scaler.scale(total).backward(inputs=update.parameters)
        return values

    def _diverged(self, what: str, batches: list[B]) -> Diverged:
        names = ", ".join(sorted({name for batch in batches for name in batch.names}))
        where = f", on patches of {names}" if names else ""
        repair = "reduce optimiser.rate or optimiser.clip"
        if not all(batch.is_finite() for batch in batches):
            cause = "the scenes contain values that are not finite"
        elif not _is_finite(self.model):
            cause = f"an earlier step was too large; {repair}"
        else:
            cause = f"scenes and weights are finite; {repair}"
        return Diverged(
            f"at step {self.done + 1} {what}{where}: {cause}. "
            f"{str(self.settings.out / LAST)!r} contains the last good state"
        )

    def _record(self, log: Log, values: Mapping[str, float]) -> dict[str, float]:
        """Validate, log and save when due; returns the scores."""
        schedule = self.settings.schedule
        scores = self._validate(log) if self._is_due(schedule.validate) else {}
        if scores or self._is_due(schedule.log):
            log.scalars(self.done, {**values, **scores})
        if self._is_due(schedule.save):
            self._save()
        return scores

    def _is_due(self, interval: int) -> bool:
        """True at multiples of an interval, where 0 is never, and at the end of the run."""
        at_end = self.done == self.settings.schedule.steps
        return interval > 0 and (self.done % interval == 0 or at_end)

    def _validate(self, log: Log) -> dict[str, float]:
        """Score the averaged model, and save it if it is the best one so far."""
        if self.task.validation is None:
            return {}
        scores, image = self.task.validation(self.averaged, self.device)
        log.image(self.done, "estimate, truth, difference", image)
        if not self.best or scores[SELECTED_BY] < self.best[SELECTED_BY]:
            self.best = {"step": self.done, **scores}
            state = {"done": self.done, "average": self._weights(), "scores": self.best}
            checkpoints.write(state, self.settings.out / BEST)
        return {f"validation/{name}": value for name, value in scores.items()}

    def _save(self) -> None:
        if not _is_finite(self.model):
            raise self._diverged("the weights are not finite", [])
        checkpoints.write(self.state(), self.settings.out / LAST)

    def state(self) -> dict[str, Any]:
        """Returns all that a run resumes from; random numbers follow from the seed and the step."""
        return {
            "run": as_plain(self.settings),
            "processes": self.ranks.count,
            "done": self.done,
            "model": self.model.state_dict(),
            "average": self._weights(),
            "auxiliary": self.auxiliary.state_dict(),
            "optimisers": {name: each.state_dict() for name, each in self.optimisers.items()},
            "scaler": self.scaler.state_dict(),
            "best": self.best,
        }

    def _weights(self) -> dict[str, Tensor]:
        return self._average.module.state_dict()

    def _load(self, state: checkpoints.State) -> None:
        if (count := state["processes"]) != self.ranks.count:
            raise UsageError(
                f"the training run in {str(self.settings.out)!r} was started with {count} "
                f"processes, not {self.ranks.count}, which would draw other batches; resume it "
                f"with {count}, or choose another output folder (out)"
            )
        self.model.load_state_dict(state["model"])
        self.auxiliary.load_state_dict(state["auxiliary"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.scaler.load_state_dict(state["scaler"])
        self._average.module.load_state_dict(state["average"])
        self.done, self.best = state["done"], state["best"]
        self._average.n_averaged.fill_(1 + self.done)


def _is_finite(model: Reconstructor) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values())
