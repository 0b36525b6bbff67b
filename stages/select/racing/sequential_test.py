"""Test whether a mean is above a value; the answer stays valid however often it is asked.

Source: Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting",
arXiv 2010.09686, sections 4 and 5 (sampling without replacement).
"""

import math
from collections.abc import Sequence

MOST = 0.5  # largest share of the capital in one bet, so that no bet loses all of it


def evidence_above(values: Sequence[float], num_all: int, *, mean: float, alpha: float) -> float:
    """Return the largest capital that bets on "the mean of all is above ``mean``" reached.

    ``values`` in [0, 1] are drawn one by one, without replacement, from ``num_all`` numbers. Bets
    start with a capital of 1. Where the mean of all numbers is ``mean`` or less, the capital ever
    reaches 1 / alpha with a chance of at most ``alpha``, whatever the number of looks; infinity
    says that no numbers could bring the mean down again. ``alpha`` sets the size of the bets.
    """
    capital, most = 1.0, 1.0
    total, squares = 0.0, 0.25  # of deviations; 1/4 is the variance of a fair coin
    for count, value in enumerate(values, start=1):
        # What the numbers that are left average at least, if all of them average ``mean``.
        expected = (num_all * mean - total) / (num_all - count + 1)
        if expected < 0:
            return math.inf
        guess = (0.5 + total) / count
        variance = squares / count
        bet = math.sqrt(2 * math.log(1 / alpha) / (variance * count * math.log(count + 1)))
        bet = min(bet, MOST / expected) if expected > 0 else bet
        capital *= 1 + bet * (value - expected)
        most = max(most, capital)
        total += value
        squares += (value - guess) ** 2
    return most
