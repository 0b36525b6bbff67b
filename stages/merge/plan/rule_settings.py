"""Which rule a tensor falls under, and whether a rule's values are legal for its method."""

from collections.abc import Sequence

from stages.errors import RecipeError
from stages.hashing import nearest
from stages.merge.architecture.layout import Layout
from stages.merge.arithmetic.method import Method, Settings
from stages.recipe.recipe import COMPONENTS, Parameter, Rule, Value


def place_of(name: str, rules: Sequence[Rule], layout: Layout) -> int | None:
    """Return the place of the first rule that matches a tensor, or None where none does.

    Layers count in the tensor's own module. What is no part of the language model of a composite
    model has no layer.
    """
    layer = None if layout.is_kept(name) else layout.layer_of(name)
    component = layout.component_of(name)
    for place, rule in enumerate(rules):
        in_layers = rule.layers is None or (
            layer is not None and rule.layers[0] <= layer < rule.layers[1]
        )
        if in_layers and rule.component in (None, component):
            return place
    return None


def settings_of(rule: Rule, method: Method, num_parents: int, where: str) -> Settings:
    """Return a rule's values, with defaults for what it does not give; ``where`` starts errors.

    Raises:
        RecipeError: the rule's layers, component, a name or a value is not legal.
    """
    _check(rule, method, where)
    tensor: dict[str, float] = {}
    parent: dict[str, tuple[float, ...]] = {}
    choice: dict[str, str] = {}
    for parameter in method.spec.parameters:
        values = _values(parameter, rule.values.get(parameter.name), num_parents, where)
        if parameter.choices:
            choice[parameter.name] = str(values[0])
        elif parameter.level == "parent":
            parent[parameter.name] = tuple(float(number) for number in values)
        else:
            tensor[parameter.name] = float(values[0])
    settings = Settings(tensor, parent, choice)
    fault = method.fault(settings, num_parents)
    if fault is not None:
        raise RecipeError(f"{where}: {fault}.")
    return settings


def _check(rule: Rule, method: Method, where: str) -> None:
    if rule.component not in (None, *COMPONENTS):
        raise RecipeError(
            f"{where}: component is {rule.component!r}. Legal are {', '.join(COMPONENTS)}."
        )
    if rule.layers is not None and not 0 <= rule.layers[0] < rule.layers[1]:
        raise RecipeError(
            f"{where}: layers is {list(rule.layers)}. Give [first, last + 1] with first <= last."
        )
    spec = method.spec
    legal = [p.name for p in spec.parameters]
    for name in rule.values:
        if name not in legal:
            raise RecipeError(
                f"{where}: unknown parameter {name!r}. {spec.name} takes {', '.join(legal)}."
                f"{nearest(name, legal)}"
            )


def _values(
    parameter: Parameter, given: Value | None, num_parents: int, where: str
) -> tuple[float | str, ...]:
    """Return a parameter's values: one per parent, or one where its level is the tensor."""
    value = parameter.default if given is None else given
    if value is None:
        raise RecipeError(
            f"{where}: {parameter.name} is missing and has no default. Give it a value."
        )
    count = num_parents if parameter.level == "parent" else 1
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * count
    if len(values) != count or (parameter.level == "tensor" and isinstance(value, tuple | list)):
        kind = "name" if parameter.choices else "number"
        expected = f"one {kind} or {count}" if parameter.level == "parent" else f"one {kind}"
        raise RecipeError(
            f"{where}: {parameter.name} holds {len(values)} {kind}s for {num_parents} parents. "
            f"Give {expected}."
        )
    for found in values:
        if not parameter.is_legal(found):
            hint = nearest(found, list(parameter.choices)) if isinstance(found, str) else ""
            raise RecipeError(
                f"{where}: {parameter.name} is {found!r}. Legal is {parameter.legal}; "
                f"change it.{hint}"
            )
    return values
