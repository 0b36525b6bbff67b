"""Which members of a population have children: the best, winners of tournaments, or by lot."""

from collections.abc import Sequence

import numpy as np

from stages.select.strategies.populations.population_member import PopulationMember
from stages.select.strategies.result_ranking import order_of


def ranked_members(members: Sequence[PopulationMember]) -> list[PopulationMember]:
    """Return the members best first, in the order that a generation's results have."""
    points = [member.objectives for member in members]
    order = order_of(points, [member.result.rung for member in members])
    return [members[index] for index in order]


def two_of(
    random: np.random.Generator, members: Sequence[PopulationMember]
) -> tuple[PopulationMember, PopulationMember]:
    """Return two members drawn uniformly: different ones where there are two."""
    first, second = random.permutation(len(members))[:2] if len(members) > 1 else (0, 0)
    return members[first], members[second]


def tournament(
    random: np.random.Generator, ranking: Sequence[PopulationMember]
) -> PopulationMember:
    """Return the better of two members drawn uniformly; ``ranking`` has the best first."""
    places = random.integers(len(ranking), size=2)
    return ranking[int(places.min())]


def by_lot(
    random: np.random.Generator, members: Sequence[PopulationMember], shares: Sequence[float]
) -> PopulationMember:
    """Return a member, each as likely as its share says; all are equally likely without shares.

    Shares are at least 0.
    """
    total = sum(shares)
    chances = [share / total for share in shares] if total > 0 else None
    return members[int(random.choice(len(members), p=chances))]
