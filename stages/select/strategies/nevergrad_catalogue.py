"""The optimisers of nevergrad that can search here, by name, and why the others cannot.

Legal is what was run in this setting: whole generations asked and told, warm starts in place of
the first samples, a replay that gives the same bits, and no draw from global random state.
"""

import re
from collections.abc import Mapping
from typing import Any

import nevergrad as ng
from nevergrad.optimization.base import registry

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.select.strategies.ask_schedule import is_steady

DISTRIBUTIONS = ("CMA", "DiagonalCMA", "TBPSA", "NaiveTBPSA")
DIFFERENTIAL_EVOLUTION = (
    *("DE", "NoisyDE", "TwoPointsDE", "OnePointDE", "RotatedTwoPointsDE", "ParametrizationDE"),
    *("LhsDE", "QrDE", "QODE", "SODE", "QOTPDE", "MiniDE", "DiscreteDE"),
    *("AlmostRotationInvariantDE", "RotationInvariantDE"),
)
SWARMS = ("RealSpacePSO", "QORealSpacePSO", "SQORealSpacePSO")
SAMPLERS = ("QORandomSearch", "LHSSearch", "ScrHammersleySearch")
OTHERS = ("OnePlusOne",)
WHOLE_POPULATIONS = ("CMA", "DiagonalCMA")  # learn from a population at once
MANY_OBJECTIVES = (*WHOLE_POPULATIONS, *DIFFERENTIAL_EVOLUTION)
UNIFORM = ("LHSSearch", "ScrHammersleySearch", "LhsDE", "QrDE")  # generation 0 ignores sigma
LEGAL = (*DISTRIBUTIONS, *DIFFERENTIAL_EVOLUTION, *SWARMS, *SAMPLERS, *OTHERS)

# pycma stops, and nevergrad then starts it again at the centre, when a generation ties or the
# steps get small. A search here ends after its generations and for no other reason. Verbosity
# -10 also keeps pycma from reading options from a file cma_signals.in in the working folder.
_NEVER_STOP = {
    "tolfun": 0,
    "tolfunhist": 0,
    "tolfunrel": 0,
    "tolflatfitness": 10**9,
    "tolstagnation": 10**9,
    "tolx": 0,
    "tolfacupx": float("inf"),
    "tolupsigma": float("inf"),
    "tolconditioncov": float("inf"),
    "tolxstagnation": False,
    "maxiter": float("inf"),
    "signals_filename": None,
    "verbose": -10,
}
_SEQUENTIAL = "it proposes one point at a time, and a generation is asked as a whole"
_REASONS: tuple[tuple[str, str], ...] = (
    (
        r"NGO|Ng|NGD|Wiz|CSEC|Shiwa|MetaModel|^HS|Carola|^DS|DS\d",
        "it hands over to MetaModel or Cobyla, which crash in mid-run with numpy 2",
    ),
    (r"Noisy(?!DE)", "it asks the same point again to average noise, and a fitness here has none"),
    (
        r"^(Q|SQ|S)?O?PSO$",
        "its arctan carries it out of a bounded space, and it does worse there than random "
        "search; use RealSpacePSO",
    ),
    (r"Voronoi", "it draws from numpy's global state, so a run cannot be repeated"),
    (r"CMA(bounded|para|tuning)|^E(D)?CMA", "it is elitist, and keeps the luckiest evaluation"),
    (r"^FCMA", "it needs the package fcmaes, which germline does not install"),
    (
        r"^(Old|Large|LargeDiag|Tiny|SDiagonal|Milli|Micro|LP|VLP|LS)CMA|CMA(small|std)$",
        "it is CMA with another first step or population; use CMA with select.sigma",
    ),
    (r"^(LPSDE|SPQODE|BPRotation|LQ|.*BigPop)", "it is DE with another population size"),
    (
        r"Cobyla|SQP|Powell|BFGS|Fmin2|NelderMead|BOBYQA|NLOPT|SMAC|pysot|Pymoo|^AX",
        f"it wraps a sequential solver: {_SEQUENTIAL}",
    ),
    (r"EDA|EMNA|BO|Bayes", "it cannot be told of points it did not ask, such as warm starts"),
    (r"Discrete|Lengler|GA$|cGA|RLS|FastGA|Lognormal", "it is made for discrete variables"),
)


def check_optimizer(params: SelectParams) -> None:
    """Return if a legal optimiser can search with the population of ``params``.

    Raises:
        ParamsError: it follows one number and there are several objectives, it cannot follow them
            one by one, or it needs a larger population.
    """
    name, population = params.optimizer, params.population
    if params.objectives == "separate" and name not in MANY_OBJECTIVES:
        raise ParamsError(
            f"params.yaml: select.optimizer: {name} follows one number, and select.objectives is "
            f"separate. Legal for separate objectives: {', '.join(MANY_OBJECTIVES)}."
        )
    if params.objectives == "separate" and is_steady(params) and name not in WHOLE_POPULATIONS:
        raise ParamsError(
            f"params.yaml: select.schedule is steady and objectives is separate: {name} measures "
            "fronts from the worst of generation 0 as a whole. Legal for both: "
            f"{', '.join(WHOLE_POPULATIONS)}, genetic, nsga2, cycle_qd, m2n2."
        )
    least = 4 if name in (*DIFFERENTIAL_EVOLUTION, "TBPSA", "NaiveTBPSA") else 3
    if population < least:
        raise ParamsError(
            f"params.yaml: select.population is {population}. {name} needs at least {least}; "
            "raise it."
        )


def optimizer_of(name: str, parametrization: Any, *, population: int, generations: int) -> Any:
    """Return nevergrad's optimiser ``name``, its own population set to ``population``."""
    family = _family(name, population, parametrization.dimension)
    return family(parametrization, budget=population * generations, num_workers=population)


def _family(name: str, population: int, dimension: int) -> Any:
    if name in ("CMA", "DiagonalCMA"):
        # In a bounded space nevergrad multiplies sigma by this factor (optimizerlib.py:758).
        factor = 0.3 if dimension < 18 else 0.15
        return ng.families.ParametrizedCMA(
            scale=1 / factor,
            popsize=population,
            diagonal=name == "DiagonalCMA",
            inopts=dict(_NEVER_STOP),
        )
    if name in ("TBPSA", "NaiveTBPSA"):
        return ng.families.ParametrizedTBPSA(
            naive=name == "NaiveTBPSA", initial_popsize=population // 4
        )
    registered: Any = registry[name]
    if name in (*DIFFERENTIAL_EVOLUTION, *SWARMS):
        config: Mapping[str, Any] = registered.config()
        return type(registered)(**{**config, "popsize": population})
    return registered


def why_not(name: str) -> str:
    """Return why ``name``, which is not in ``LEGAL``, cannot be searched with."""
    if name not in registry:
        return f"nevergrad has no optimiser {name!r}"
    parallel = not getattr(registry[name], "no_parallelization", False)
    reason = next((why for pattern, why in _REASONS if re.search(pattern, name)), None)
    if reason is None:
        reason = _SEQUENTIAL if not parallel else "its replay has not been verified"
    return f"{name} cannot search here: {reason}"
