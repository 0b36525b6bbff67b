"""Tunes baselines on the search items, and chooses the best of each as a champion is chosen."""

from collections.abc import Callable, Mapping

from flows.pipeline.search.search_checks import specs
from flows.pipeline.search_state import SPLIT, space_of
from flows.pipeline.session import SearchSession, evaluate_all
from stages.errors import EvaluationError
from stages.lineage.outcome import Outcome
from stages.recipe.recipe import Recipe
from stages.select.final.baselines import FixedModel
from stages.select.final.tuned_baselines import RANDOM, SWEEP, drawn, swept

Advance = Callable[[int], None]


def recipes_to_try(session: SearchSession) -> dict[str, dict[str, Recipe]]:
    """Return the recipes that each tuned baseline tries, by the baseline's name and their ids."""
    params, base, parents = session.params, session.parents.base, session.parents.models
    tried = {
        SWEEP: swept(
            params.select, base=base, parents=parents, merge=params.merge, specs=specs(params)
        ),
        RANDOM: drawn(
            params.select, space_of(session), base=base, parents=parents, merge=params.merge
        ),
    }
    return {name: {r.id: r for r in recipes} for name, recipes in tried.items() if recipes}


def num_evaluations(session: SearchSession, tried: Mapping[str, Mapping[str, Recipe]]) -> int:
    """Return how many evaluations ``tune`` asks for, on the search and the validation items."""
    return sum(len(recipes) + _num_listed(session, len(recipes)) for recipes in tried.values())


def tune(
    session: SearchSession, tried: Mapping[str, Mapping[str, Recipe]], advance: Advance
) -> tuple[FixedModel, ...]:
    """Return the best recipe of each tuned baseline, with the number of recipes that it tried.

    All of them answer every search item; as many of the best as the search's shortlist holds
    answer the validation items, and the best of those is chosen. Ties go to the earlier recipe.

    Raises:
        EvaluationError: none of a baseline's recipes could be scored.
    """
    return tuple(_best(session, name, recipes, advance) for name, recipes in tried.items())


def _best(
    session: SearchSession, name: str, recipes: Mapping[str, Recipe], advance: Advance
) -> FixedModel:
    by_search = _ranked(session, recipes, SPLIT, name, advance)
    listed = {best: recipes[best] for best in by_search[: _num_listed(session, len(recipes))]}
    by_validation = _ranked(session, listed, "validation", name, advance)
    return FixedModel(name, "tuned", recipes[by_validation[0]], len(recipes))


def _ranked(
    session: SearchSession, recipes: Mapping[str, Recipe], split: str, name: str, advance: Advance
) -> list[str]:
    """Return the ids of the recipes that could be scored on ``split``, the best first."""
    named = {f"{name} {number}": recipe for number, recipe in enumerate(recipes.values())}
    outcomes = evaluate_all(session, named, split, lambda _, count: advance(count))
    fitness = {named[key].id: _fitness(session, outcome) for key, outcome in outcomes.items()}
    scored = {recipe_id: value for recipe_id, value in fitness.items() if value is not None}
    if not scored:
        error = next(iter(outcomes.values())).error
        raise EvaluationError(
            f"tuned baseline {name}: none of its {len(recipes)} recipes could be scored on the "
            f"{split} split. The first: {error} Fix the cause, or set select.tuned_baselines."
            f"{name} to 0."
        )
    return sorted(scored, key=lambda recipe_id: -scored[recipe_id])


def _fitness(session: SearchSession, outcome: Outcome) -> float | None:
    return outcome.evaluation.fitness(session.suite.weights) if outcome.evaluation else None


def _num_listed(session: SearchSession, num_recipes: int) -> int:
    return min(num_recipes, max(1, session.params.select.shortlist))
