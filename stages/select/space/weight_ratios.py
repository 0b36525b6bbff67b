"""How methods normalise their weights, and which recipes are one merge because of it."""

from collections.abc import Sequence
from dataclasses import replace

from stages.recipe.recipe import Rule
from stages.select.space.gene_ranges import NORMALIZE

# ``normalize`` divides each entry by the weights of those parents that keep it and agree in sign,
# not by the sum of all weights.
ENTRYWISE = frozenset({"ties", "dare_ties", "della", "breadcrumbs_ties"})
# Without a switch: weights count by their ratio alone.
RATIOS_ALONE = frozenset({"nuslerp", "karcher", "wudi"})
_DIGITS = 12  # equal ratios may differ in their last bits


def divides_weights(method: str, target: str) -> bool:
    """Return whether ``target``, not normalising, is nearest to ``method`` with weights as shares.

    A method that divides by the sum of all weights merges the same with each weight divided by
    that sum. Where both methods divide entry by entry no fixed weights do that, and the weights
    as they are given are nearer.
    """
    return not (method in ENTRYWISE and target in ENTRYWISE)


def by_ratio(method: str, rules: Sequence[Rule]) -> tuple[str, tuple[Rule, ...]]:
    """Return the merge with weights that sum to 1 where only their ratio counts.

    Of recipes that differ in the sum of such weights alone, all return the same.
    """
    return method, tuple(_shares(method, rule) for rule in rules)


def _shares(method: str, rule: Rule) -> Rule:
    weights = rule.values.get("weight")
    if not isinstance(weights, tuple) or sum(weights) <= 0.0:
        return rule
    if method not in RATIOS_ALONE and not rule.values.get(NORMALIZE):
        return rule
    shares = tuple(round(weight / sum(weights), _DIGITS) for weight in weights)
    return replace(rule, values={**rule.values, "weight": shares})
