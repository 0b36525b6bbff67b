"""How large a run will be: items, minutes, memory, disk. Estimates, and said to be that."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from flows.workspace.survey.parent_survey import Survey
from flows.workspace.survey.question_survey import SurveyedTask
from stages.files import size_text
from stages.params.load import Params
from stages.select.final.baselines import BASELINES

_SIDE = 768  # of the matrices whose product is timed
_TIMES = 5  # other programs may be at work: the fastest counts
_SHARE = 0.3  # of that speed, which a forward pass reaches
_GPU_FLOPS = 2e13  # a guess: no GPU is timed here
_ITEM_S = 0.002  # what an item costs besides arithmetic; the zoo's run, two cores
_MERGE_BYTES_S = 4e8
_SPARE = 1.5  # a worker's memory over its weights: activations, logits, the merge's buffers


@dataclass(frozen=True, slots=True)
class RunSize:
    """What a run is expected to take; ``memory_gb`` is that of all workers together."""

    candidates: int
    items: int
    minutes: float
    memory_gb: float
    disk_gb: float

    def lines(self) -> list[str]:
        """Return the size for a person."""
        return [
            f"a run tries up to {self.candidates} candidates and asks up to {self.items:,} items: "
            f"about {_duration(self.minutes)} on this machine, {size_text(self.memory_gb * 1e9)} "
            f"of memory and {size_text(self.disk_gb * 1e9)} of disk",
            "these are estimates; a first run with `select.generations: 1` shows the time of a "
            "candidate",
        ]

    def plain(self) -> dict[str, float]:
        """Return the size for programs."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def size_of(params: Params, models: Survey, tasks: Sequence[SurveyedTask]) -> RunSize:
    """Return the size of a run of ``params`` on what was looked at."""
    select, splits = params.select, params.evaluate.splits
    tuned = select.tuned_baselines
    searched = select.population * select.generations + 1 + select.scan.budget
    kinds = (tuned.sweep * len(tuned.methods), tuned.random, tuned.parameters, tuned.layers)
    compared, num_kinds = sum(kinds), sum(kind > 0 for kind in kinds)
    fixed = len(BASELINES) + len(models.parents) + 1 + num_kinds  # the base, the best of each kind
    evaluations = (
        (searched + compared, splits.search),
        (select.shortlist * (1 + num_kinds) + 1, splits.validation),
        (fixed + 1, splits.test),
    )
    items = sum(count * size for count, size in evaluations) * len(tasks)
    seconds = sum(count for count, _ in evaluations) * _merge_s(models)
    seconds += items / len(tasks) * sum(_item_s(models, task, params) for task in tasks)
    width = 2 if params.evaluate.model_args.get("dtype") in ("bfloat16", "float16") else 4
    memory = params.evaluate.workers * models.base.num_params * width * _SPARE
    return RunSize(
        candidates=searched,
        items=items,
        minutes=seconds / params.evaluate.workers / 60,
        memory_gb=memory / 1e9 + 0.5 * params.evaluate.workers,  # PyTorch itself
        disk_gb=_disk_bytes(params, models) / 1e9,
    )


def candidates_in(
    minutes: float, params: Params, models: Survey, tasks: Sequence[SurveyedTask]
) -> int:
    """Return how many candidates take so many minutes."""
    splits = params.evaluate.splits
    one = _merge_s(models) + splits.search * sum(_item_s(models, t, params) for t in tasks)
    return int(minutes * 60 * params.evaluate.workers / one)


def _merge_s(models: Survey) -> float:
    return sum(model.num_bytes for model in models.models) / _MERGE_BYTES_S


def _item_s(models: Survey, task: SurveyedTask, params: Params) -> float:
    flops = _GPU_FLOPS if params.evaluate.device.startswith("cuda") else _flops()
    return 2 * models.base.num_params * task.tokens / (flops * _SHARE) + _ITEM_S


def _disk_bytes(params: Params, models: Survey) -> float:
    """Return the bytes of parents and kept children; a hub's cache and DVC's are hard links."""
    parents = sum(model.num_bytes for model in models.models)
    children = {"none": 1, "elite": params.select.shortlist + 1}.get(
        params.merge.keep, params.select.population * params.select.generations
    )
    return parents + children * models.base.num_bytes


def _flops() -> float:
    """Return how many multiplications and additions one core does in a second, timed once."""
    if not _timed:
        left = np.ones((_SIDE, _SIDE), np.float32)
        spent = []
        for _ in range(_TIMES):
            begin = time.perf_counter()
            left @ left
            spent.append(time.perf_counter() - begin)
        _timed.append(2 * _SIDE**3 / min(spent))
    return _timed[0]


_timed: list[float] = []


def _duration(minutes: float) -> str:
    if minutes < 90:
        return f"{round(minutes)} minutes" if minutes >= 1.5 else "a minute"
    return f"{minutes / 60:.1f} hours"
