"""MergeKit's methods as its files spell them: parameters, levels, defaults, and the base's part.

Names and defaults are MergeKit 0.1.5's; where they differ from ours, this is where one becomes
the other.
"""

from dataclasses import dataclass, replace
from typing import Literal

from stages.recipe.method_spec import MethodSpec, Parameter

# What a base is to a method: apart from the parents, one of them, the first of two, or no part.
Role = Literal["apart", "parent", "first", "frame"]


@dataclass(frozen=True, slots=True)
class Term:
    """A parameter: ``ours`` is our name for it, None where it changes no number.

    ``level`` is ``model`` for a value of each model, ``tensor`` for one value. A ``default`` of
    None must be given by the file; ``is_switch`` takes true and false, and a term with
    ``choices`` one of these names.
    """

    level: Literal["model", "tensor"]
    ours: str | None
    default: float | str | None
    is_switch: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a method is spelled in a MergeKit file; ``others`` are parameters of other methods."""

    terms: dict[str, Term]
    base: Role
    needs_base: bool = False

    @property
    def others(self) -> dict[str, Term]:
        """What MergeKit's other methods take: legal under any method, and without effect."""
        return {name: term for name, term in _ALL.items() if name not in self.terms}


_WEIGHT = {"weight": Term("model", "weight", None)}
_DENSITY = {"density": Term("model", "density", 1.0)}
_INT8 = {"int8_mask": Term("tensor", None, 0.0, is_switch=True)}
_LAMBDA = {"lambda": Term("tensor", "scale", 1.0)}
_GAMMA = {"gamma": Term("model", "gamma", 0.01)}
_EPSILON = {"epsilon": Term("model", "epsilon", 0.15)}
_ACTIVE = {"epsilon": Term("tensor", "epsilon", 1e-5)}


def _normalize(*, default: bool, name: str = "normalize") -> dict[str, Term]:
    return {name: Term("tensor", "normalize", float(default), is_switch=True)}


def _sparse(extra: dict[str, Term], *, normalizes: bool, rescales: bool) -> Dialect:
    """Return the spelling of a method on sparse task vectors."""
    rescale = {"rescale": Term("tensor", "rescale", float(rescales), is_switch=True)}
    terms = {**_WEIGHT, **_DENSITY, **extra, **_normalize(default=normalizes), **rescale}
    return Dialect({**terms, **_LAMBDA, **_INT8}, "apart", needs_base=True)


_UNUSED = {
    "density": Term("model", None, 1.0),
    "rescale": Term("tensor", None, 0.0, is_switch=True),
}

DIALECTS: dict[str, Dialect] = {
    "linear": Dialect({**_WEIGHT, **_normalize(default=True)}, "parent"),
    "slerp": Dialect({"t": Term("tensor", "t", None)}, "first", needs_base=True),
    "nuslerp": Dialect(
        {
            **_WEIGHT,
            "nuslerp_row_wise": Term("tensor", "nuslerp_row_wise", 0.0, is_switch=True),
            "nuslerp_flatten": Term("tensor", "nuslerp_flatten", 1.0, is_switch=True),
        },
        "apart",
    ),
    "multislerp": Dialect(
        {
            **_WEIGHT,
            **_normalize(default=True, name="normalize_weights"),
            "eps": Term("tensor", "eps", 1e-8),
        },
        "apart",
    ),
    "karcher": Dialect(
        {"max_iter": Term("tensor", "max_iter", 10.0), "tol": Term("tensor", "tol", 1e-5)},
        "parent",
    ),
    "task_arithmetic": Dialect(
        {**_WEIGHT, **_normalize(default=False), **_LAMBDA, **_UNUSED, **_INT8},
        "apart",
        needs_base=True,
    ),
    "ties": _sparse({}, normalizes=True, rescales=False),
    "dare_ties": _sparse({}, normalizes=False, rescales=True),
    "dare_linear": _sparse({}, normalizes=False, rescales=True),
    "breadcrumbs": _sparse(_GAMMA, normalizes=False, rescales=False),
    "breadcrumbs_ties": _sparse(_GAMMA, normalizes=False, rescales=False),
    "della": _sparse(_EPSILON, normalizes=True, rescales=True),
    "della_linear": _sparse(_EPSILON, normalizes=False, rescales=True),
    "model_stock": Dialect(
        {"filter_wise": Term("tensor", "filter_wise", 0.0, is_switch=True)},
        "apart",
        needs_base=True,
    ),
    "sce": Dialect(
        {"select_topk": Term("tensor", "select_topk", 1.0), **_INT8}, "apart", needs_base=True
    ),
    "ram": Dialect({**_ACTIVE}, "apart", needs_base=True),
    "ramplus_tl": Dialect(
        {**_ACTIVE, "r": Term("tensor", "r", 0.1), "alpha": Term("tensor", "alpha", 0.2)},
        "apart",
        needs_base=True,
    ),
    "nearswap": Dialect({"t": Term("tensor", "t", None)}, "first", needs_base=True),
    "arcee_fusion": Dialect({}, "first", needs_base=True),
    "passthrough": Dialect({"scale": Term("model", "scale", 1.0)}, "frame"),
}


_ALL = {
    name: replace(term, ours=None, default=None)
    for dialect in DIALECTS.values()
    for name, term in dialect.terms.items()
}


def dialect_of(spec: MethodSpec) -> Dialect:
    """Return how a method is spelled; one that MergeKit has not, by our own names."""
    if spec.name in DIALECTS:
        return DIALECTS[spec.name]
    terms = {parameter.name: _term(parameter) for parameter in spec.parameters}
    return Dialect(terms, "apart" if spec.needs_base else "parent", needs_base=spec.needs_base)


def _term(parameter: Parameter) -> Term:
    """Return a parameter as a file spells it by our own name."""
    name, default = parameter.name, parameter.default
    if parameter.choices:
        return Term("tensor", name, default, choices=parameter.choices)
    level: Literal["model", "tensor"] = "model" if parameter.level == "parent" else "tensor"
    number = None if default is None else float(default)
    return Term(level, name, number, is_switch=parameter.legal == "0 or 1")
