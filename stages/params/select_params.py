"""``select`` of params.yaml: the search and the final choice."""

from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, model_validator

from stages.params.section import MAX_ITEMS, Bounds, Listed, Number, Section, Seed, Text
from stages.params.space.space_params import SpaceParams

Objectives = Literal["weighted", "separate"]
ScheduleName = Literal["generations", "steady"]
WarmStart = Literal["uniform", "task_arithmetic", "ties", "dare_ties", "parents"]


class RacingParams(Section):
    """A race within each generation, where rungs are given: few items for all, more for few."""

    rungs: list[int] = Field(default=[], max_length=100)
    keep: float = Field(default=1 / 2, gt=0, lt=1)
    confidence: float | None = Field(default=0.95, gt=0.5, lt=1)

    @model_validator(mode="after")
    def _rungs_rise(self) -> "RacingParams":
        if any(size < 1 for size in self.rungs) or any(a >= b for a, b in pairwise(self.rungs)):
            raise ValueError(f"rungs is {self.rungs}; give rising numbers of items, from 1 up")
        return self


class TunedBaselinesParams(Section):
    """Baselines that are tuned on the search items; 0 evaluations leave one out."""

    methods: Listed[Literal["task_arithmetic", "ties", "dare_ties"]] = Field(
        default=["task_arithmetic"], min_length=1
    )
    sweep: int = Field(default=8, ge=0, le=100_000)  # evaluations of each method
    random: int = Field(default=0, ge=0, le=1_000_000)  # evaluations
    parameters: int = Field(default=0, ge=0, le=1_000_000)  # candidates of a search in this half
    layers: int = Field(default=0, ge=0, le=1_000_000)


class StopParams(Section):
    """When a search ends before its last generation: the first rule that fires ends it."""

    candidates: int | None = Field(default=None, ge=1, le=MAX_ITEMS)
    items: int | None = Field(default=None, ge=1, le=MAX_ITEMS * 1000)
    patience: int | None = Field(default=None, ge=1, le=100_000)  # generations
    target: Number | None = None  # fitness


class ArchiveParams(Section):
    """The grid of map_elites and cycle_qd: what tells candidates apart, and how finely."""

    axes: dict[Text, Bounds] = {}  # a task or a gene: its bounds
    cells: int = Field(default=5, ge=2, le=1000)  # of each axis

    @model_validator(mode="after")
    def _axes_have_room(self) -> "ArchiveParams":
        for axis, (low, high) in self.axes.items():
            if low >= high:
                raise ValueError(f"axes: {axis} is [{low:g}, {high:g}]; give low below high")
        return self


class IslandsParams(Section):
    """The searches of the optimizer ``islands``, and when they exchange their best."""

    optimizers: list[Text] = Field(default=[], max_length=100)  # one for each island
    exchange_every: int = Field(default=3, ge=1, le=100_000)  # generations
    elites: int = Field(default=1, ge=1, le=10_000)  # of each island, at each exchange


class ScanParams(Section):
    """Paths that are tried before generation 0; the best of them are warm starts."""

    budget: int = Field(default=0, ge=0, le=1_000_000)  # evaluations
    starts: int = Field(default=3, ge=1, le=10_000)


class SelectParams(Section):
    """The search and the final choice."""

    optimizer: Text = "CMA"
    population: int = Field(default=12, ge=2, le=10_000)
    generations: int = Field(default=15, ge=1, le=100_000)
    schedule: ScheduleName = "generations"
    window: int | None = Field(default=None, ge=1, le=10_000)  # candidates out at once, of steady
    seed: Seed = 1
    sigma: float = Field(default=1 / 6, gt=0, le=1)
    space: SpaceParams = SpaceParams()
    warm_start: Listed[WarmStart] = ["uniform", "parents"]
    shortlist: int = Field(default=5, ge=0, le=10_000)
    objectives: Objectives = "weighted"
    cost: Literal["parameters", "layers"] | None = None
    archive: ArchiveParams = ArchiveParams()
    islands: IslandsParams = IslandsParams()
    racing: RacingParams = RacingParams()
    scan: ScanParams = ScanParams()
    stop: StopParams = StopParams()
    tuned_baselines: TunedBaselinesParams = TunedBaselinesParams()

    @model_validator(mode="before")
    @classmethod
    def _paths_alone_start_at_parents(cls, keys: Any) -> Any:
        """Where there are no methods and no listed starts, leave the merge out of them."""
        match keys:
            case {"space": {"methods": []}} if "warm_start" not in keys:
                return {**keys, "warm_start": ["parents"]}
        return keys

    @model_validator(mode="after")
    def _cost_is_an_objective(self) -> "SelectParams":
        if self.cost is None:
            return self
        if self.objectives != "separate":
            raise ValueError(
                f"cost is {self.cost} and objectives is {self.objectives}; a cost is an objective "
                "of its own, so set objectives to separate, or cost to null"
            )
        if self.space.layers is None:
            raise ValueError(
                f"cost is {self.cost} and space.layers is not given; all children cost what a "
                "parent does, so give layers, or set cost to null"
            )
        return self
