"""The searches by name that have one population: one file each, and this table of them."""

from stages.errors import ParamsError
from stages.hashing import nearest
from stages.select.strategies.cat_cma import CatCmaStrategy
from stages.select.strategies.cycle_qd import CycleQdStrategy
from stages.select.strategies.generations import GenerationStrategy
from stages.select.strategies.genetic import GeneticStrategy
from stages.select.strategies.m2n2 import M2n2Strategy
from stages.select.strategies.map_elites import MapElitesStrategy
from stages.select.strategies.nevergrad_catalogue import LEGAL, why_not
from stages.select.strategies.nevergrad_strategy import NevergradStrategy
from stages.select.strategies.nsga2 import Nsga2Strategy
from stages.select.strategies.random_search import RandomStrategy
from stages.select.strategies.sobol_search import SobolStrategy

OWN: dict[str, type[GenerationStrategy]] = {
    "genetic": GeneticStrategy,
    "nsga2": Nsga2Strategy,
    "map_elites": MapElitesStrategy,
    "cycle_qd": CycleQdStrategy,
    "m2n2": M2n2Strategy,
    "cat_cma": CatCmaStrategy,
}
SINGLE: dict[str, type[GenerationStrategy]] = {
    **OWN,
    **dict.fromkeys(LEGAL, NevergradStrategy),
    "random": RandomStrategy,
    "RandomSearch": RandomStrategy,  # nevergrad's own draws a Gaussian about the middle
    "Sobol": SobolStrategy,
}


def check_name(name: str, legal: list[str]) -> None:
    """Return if ``name`` is one of the legal strategies.

    Raises:
        ParamsError: it is not; the message says why, where that is known.
    """
    if name not in legal:
        raise ParamsError(
            f"{why_not(name)}. Legal here: {', '.join(legal)}.{nearest(name, legal)}"
        )
