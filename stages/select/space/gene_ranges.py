"""Spans: how far the genes of each parameter reach, from ``select.space`` and the methods' specs.

weight, density, t and scale have keys of their own under ``select.space``, and normalize is a
switch there. What else a method declares is named under ``select.space.parameters``, or keeps its
default. A whole number's gene is [low, high + 1), so that each number is a bin of length 1.
"""

from collections.abc import Mapping, Sequence

from stages.errors import ParamsError, at
from stages.hashing import nearest
from stages.params.section import Bounds
from stages.params.space.space_params import MAX_DECIMALS, SpaceParams
from stages.recipe.method_spec import MethodSpec, Parameter
from stages.select.space.genes import METHOD, SOURCE, GeneSpan

NORMALIZE = "normalize"  # a switch in params.yaml, never a gene
KEYS = ("weight", "density", "t", "scale")  # those with a key of their own
SEARCHED = (*KEYS, SOURCE)


def spans_of(
    params: SpaceParams, specs: Sequence[MethodSpec], num_parents: int
) -> tuple[GeneSpan, ...]:
    """Return the span of every parameter that has genes, in the order of a block's genes.

    Raises:
        ParamsError: a bound or value of the space is not what each method takes, a bound has more
            decimals than genes have, a parameter is named that none takes, or one that a method
            needs is not named.
    """
    for spec in specs:
        for parameter in spec.parameters:
            _check_bounds(spec, parameter, params)
    levels = {p.name: p.level for spec in specs for p in spec.parameters}
    searched = [
        GeneSpan(name, levels[name], *_bounds_of(name, params, num_parents), name == SOURCE)
        for name in SEARCHED
        if name in levels
    ]
    spans = (*searched, *(_span(name, params, specs) for name in sorted(params.parameters)))
    for span in spans:
        _check_decimals(span, params.decimals)
    return spans


def _check_decimals(span: GeneSpan, decimals: int) -> None:
    """Refuse bounds with more decimals than genes have: few genes, or none, could reach them."""
    if span.is_binned or span.low == span.high:
        return
    for bound in (span.low, span.high):
        if round(bound, decimals) != bound:
            name = span.parameter if span.parameter in KEYS else f"parameters.{span.parameter}"
            raise ParamsError(
                f"params.yaml: select.space.{name} is [{span.low!r}, {span.high!r}], and genes "
                f"are rounded to {decimals} decimals. Give bounds of at most as many, raise "
                f"select.space.decimals (up to {MAX_DECIMALS}), or fix it at one number."
            )


def _bounds_of(name: str, params: SpaceParams, num_parents: int) -> Bounds:
    if name == SOURCE:
        return (0.0, float(num_parents)) if num_parents > 1 else (0.0, 0.0)
    bounds: Bounds = getattr(params, name)
    return bounds


def _check_bounds(spec: MethodSpec, parameter: Parameter, params: SpaceParams) -> None:
    name = parameter.name
    if name in (SOURCE, NORMALIZE):
        return
    if name not in KEYS:
        if parameter.default is None and name not in params.parameters:
            raise ParamsError(
                f"params.yaml: select.space.parameters.{name}: missing. {spec.name} takes "
                f"{name}, {parameter.legal}, and has no default for it; add it."
            )
        return
    low, high = _bounds_of(name, params, 1)
    if low < parameter.low or high > parameter.high:
        raise ParamsError(
            f"params.yaml: select.space.{name} is [{low}, {high}]. {spec.name} takes {name} in "
            f"[{parameter.low}, {parameter.high}]; narrow the bounds."
        )


def _span(name: str, params: SpaceParams, specs: Sequence[MethodSpec]) -> GeneSpan:
    """Return the span of a parameter that ``params.parameters`` names."""
    setting = params.parameters[name]
    values = setting if isinstance(setting, tuple) else (setting,)
    with at(f"params.yaml: select.space.parameters.{name}"):
        takers = _takers(name, specs)
        _check_agreement(takers)
        for method, parameter in takers.items():
            _check_values(values, method, parameter)
    first = next(iter(takers.values()))
    names = tuple(value for value in values if isinstance(value, str))
    if names:
        high = float(len(names)) if len(names) > 1 else 0.0
        return GeneSpan(name, "tensor", 0.0, high, is_binned=True, choices=names)
    low, high = float(values[0]), float(values[-1])
    if any(parameter.is_whole for parameter in takers.values()):
        return GeneSpan(name, first.level, low, high + (low < high), is_binned=True)
    return GeneSpan(name, first.level, low, high)


def _takers(name: str, specs: Sequence[MethodSpec]) -> dict[str, Parameter]:
    """Return the parameter ``name`` as each method that takes it declares it."""
    if name in (*KEYS, NORMALIZE):
        raise ParamsError(
            f"{name} has a key of its own. Give it as select.space.{name}, and take it out here."
        )
    if name in (SOURCE, METHOD):
        over = "the parents" if name == SOURCE else "select.space.methods"
        raise ParamsError(f"the gene {name} always goes over {over}. Take it out here.")
    takers = {spec.name: p for spec in specs for p in spec.parameters if p.name == name}
    if not takers:
        taken = {p.name for spec in specs for p in spec.parameters}
        legal = sorted(taken - {*SEARCHED, NORMALIZE, METHOD})
        raise ParamsError(
            "unknown parameter, no method of select.space.methods takes it. "
            f"Legal here: {', '.join(legal) or 'none'}.{nearest(name, legal)}"
        )
    return takers


def _check_agreement(takers: Mapping[str, Parameter]) -> None:
    """Refuse a name that two methods give two meanings, for which there is one gene."""
    kinds = {method: _kind(parameter) for method, parameter in takers.items()}
    (one, kind), *others = kinds.items()
    for other, other_kind in others:
        if other_kind != kind:
            raise ParamsError(
                f"{one} takes {kind}, {other} takes {other_kind}. One entry cannot be both; take "
                "one of them out of select.space.methods."
            )


def _kind(parameter: Parameter) -> str:
    if parameter.choices:
        return "a name"
    return "a number for each parent" if parameter.level == "parent" else "one number"


def _check_values(values: Sequence[float | str], method: str, parameter: Parameter) -> None:
    for value in values:
        if not parameter.is_legal(value):
            shown = repr(value) if isinstance(value, str) else f"{value:g}"
            hint = nearest(value, list(parameter.choices)) if isinstance(value, str) else ""
            raise ParamsError(
                f"{shown} is not legal. {method} takes {parameter.name}, {parameter.legal}; "
                f"change it.{hint}"
            )
