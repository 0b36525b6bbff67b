"""Which models of a run are merged and evaluated again: all, some by name, or a seeded sample."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flows.audit.recorded_run import RecordedRun
from flows.publishing.run_model import run_model
from stages.errors import LineageError
from stages.seeds import key, random_words

SAMPLE = 5  # candidates of the sample that is drawn without --sample


@dataclass(frozen=True, slots=True)
class AuditScope:
    """What the caller asked for: ``words`` name models; else ``is_all``, else ``sample`` of them.

    The champion is always among them, unless models are named.
    """

    words: tuple[str, ...] = ()
    is_all: bool = False
    sample: int = SAMPLE
    seed: int = 0


@dataclass(frozen=True, slots=True)
class AuditedRecipes:
    """The recipes to compute again, by their ids, and what a person is told of the choice."""

    ids: tuple[str, ...]
    text: str


def recipes_in(run: RecordedRun, scope: AuditScope) -> AuditedRecipes:
    """Return the recipes of ``run`` to merge and evaluate again.

    Raises:
        LineageError: a word names no model of the run.
    """
    if scope.words:
        ids = dict.fromkeys(run_model(word).recipe.id for word in scope.words)
        return AuditedRecipes(tuple(ids), f"{', '.join(scope.words)}")
    if scope.is_all:
        return AuditedRecipes(tuple(run.recipes), f"all {len(run.recipes)} recipes of the run")
    candidates = list(dict.fromkeys(row.id for row in run.rows))
    drawn = sample_of(candidates, scope.sample, scope.seed)
    winner = _champion(run)
    ids = dict.fromkeys([*winner, *drawn])
    listed = ", ".join(run.names(recipe_id) for recipe_id in ids)
    of = f"{len(drawn)} of {len(candidates)} candidates, drawn with seed {scope.seed}"
    return AuditedRecipes(tuple(ids), f"{listed} ({'the champion and ' if winner else ''}{of})")


def sample_of(ids: Sequence[str], count: int, seed: int) -> list[str]:
    """Return ``count`` of ``ids`` in their order, as ``seed`` draws them; all where few."""
    words = random_words(key("audit", seed), 0, len(ids))
    first = sorted(range(len(ids)), key=lambda number: (int(words[number]), number))[:count]
    return [ids[number] for number in sorted(first)]


def _champion(run: RecordedRun) -> Iterable[str]:
    try:
        return [run.selection.chosen.id]
    except LineageError:
        return []  # the choice's own check says what is wrong
