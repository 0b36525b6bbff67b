"""The types of the plain data in the lineage's files, so that no other type is taken for a number.

Python would go on with them: True counts as 1, a text as its letters.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

RecipeId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Data(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class ResamplesData(_Data):
    """The draws of an aggregate that is not a mean over items."""

    drawn: list[float | None]
    left_out: list[float | None]


class ScoreData(_Data):
    """One task's score on a split."""

    metric: str
    score: float
    stderr: float
    num_items: int
    higher_is_better: bool
    estimator: str | None = None
    resamples: ResamplesData | None = None


class TaskScoreData(ScoreData):
    """A score that says of which task it is."""

    task: str


class RowData(_Data):
    """A row of the lineage; its recipe is checked by the recipe's own reader."""

    name: str
    id: RecipeId
    generation: int
    ancestors: list[str]
    genes: dict[str, float]
    parents: dict[str, str]
    status: str
    weights_hash: str | None
    scores: dict[str, dict[str, ScoreData]]  # by split and task
    fitness: float | None
    fitness_stderr: float | None
    error: str | None
    seed: int | None
    num_items: int | None
    environment: dict[str, str]
    child_cost: dict[str, int] = {}


class EvaluationData(_Data):
    """An evaluation of a candidate: the scores of tasks, and those of their items."""

    split: Literal["search", "validation", "test", "all"]
    tasks: list[TaskScoreData]
    items: list[Annotated[tuple[str, str, float | None], Field(strict=False)]]


class ShortlistedData(_Data):
    """A candidate on the shortlist."""

    name: str
    id: RecipeId
    genes: dict[str, float]
    search_fitness: float
    validation_fitness: float | None
    validation_stderr: float | None
    p_value: float | None
    scores: dict[str, float]


class TestedModelData(_Data):
    """A model on the test split; its evaluation is checked by its own reader."""

    name: str
    kind: str
    recipe: dict[str, Any] | None
    weights_hash: str | None
    num_evaluations: int | None = None


class SelectionData(_Data):
    """The result of the final choice."""

    champion: str
    corrected_validation: float
    task_weights: dict[str, float]
    shortlist: list[ShortlistedData]
    entries: list[TestedModelData]
    cautions: list[str] = []
    ending: str | None = None


def check_data(kind: type[BaseModel], data: object) -> None:
    """Check that plain data have the types of ``kind``; keys that it does not name may be there.

    Raises:
        ValueError: they have not; the message names the first place.
    """
    try:
        kind.model_validate(data)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "missing":
            raise ValueError(f"{key} is missing") from error
        legal = str(fault["msg"]).replace("Input should be", "it must be")
        if fault["type"] == "model_type":  # pydantic would name the class
            legal = "it must be an object"
        if fault["type"] == "string_pattern_mismatch":
            size = len(fault["input"])
            legal = f"it must be a recipe's hash, 64 digits of 0-9 and a-f, and has {size} signs"
        raise ValueError(f"{key or 'it'} is {fault['input']!r:.80}; {legal}") from error
