"""Which rule a tensor falls under, and whether a rule's values are legal for its method."""

from collections.abc import Sequence

from stages.errors import RecipeError
from stages.hashing import nearest
from stages.merge.arithmetic.method import Method, Settings
from stages.recipe.method_spec import Parameter
from stages.recipe.recipe import COMPONENTS, Rule, Value


class RuleBook:
    """The rules of a recipe in their order; ``main`` are the modules whose layers any rule means.

    Rules mean the layers of other modules (a vision tower) only where they name the module.
    """

    def __init__(self, rules: Sequence[Rule], main: Sequence[str]) -> None:
        self._rules = rules
        self._main = main
        self._has_parts = any(rule.parts for rule in rules)
        self._places: dict[tuple[str, str, int | None, str], int | None] = {}

    def place(self, name: str, module: str, layer: int | None, component: str) -> int | None:
        """Return the place of the first rule that matches a tensor, or None where none does."""
        key = (name if self._has_parts else "", module, layer, component)
        if key not in self._places:
            matching = (
                index
                for index, rule in enumerate(self._rules)
                if self._matches(rule, name, module, layer, component)
            )
            self._places[key] = next(matching, None)
        return self._places[key]

    def _matches(
        self, rule: Rule, name: str, module: str, layer: int | None, component: str
    ) -> bool:
        if rule.layers is not None:
            is_counted = layer is not None and (module in self._main or rule.module is not None)
            if not is_counted or not rule.layers[0] <= (layer or 0) < rule.layers[1]:
                return False
        is_here = rule.component in (None, component) and rule.module in (None, module)
        return is_here and all(part in name for part in rule.parts)


def check_conditions(rule: Rule) -> None:
    """Check what can be said of a rule's conditions without a model.

    Raises:
        RecipeError: its layers or its component is not legal.
    """
    if rule.component not in (None, *COMPONENTS):
        raise RecipeError(
            f"component is {rule.component!r}. Legal are {', '.join(COMPONENTS)}; change it."
        )
    if rule.layers is not None and not 0 <= rule.layers[0] < rule.layers[1]:
        raise RecipeError(
            f"layers is {list(rule.layers)}. Give [first, last + 1] with first <= last."
        )


def settings_of(rule: Rule, method: Method, num_parents: int) -> Settings:
    """Return a rule's values, with defaults for what it does not give.

    Raises:
        RecipeError: the name of a parameter or a value is not legal.
    """
    _check_names(rule, method)
    tensor: dict[str, float] = {}
    parent: dict[str, tuple[float, ...]] = {}
    choice: dict[str, str] = {}
    for parameter in method.spec.parameters:
        values = _values(parameter, rule.values.get(parameter.name), num_parents)
        if parameter.choices:
            choice[parameter.name] = str(values[0])
        elif parameter.level == "parent":
            parent[parameter.name] = tuple(float(number) for number in values)
        else:
            tensor[parameter.name] = float(values[0])
    settings = Settings(tensor, parent, choice)
    fault = method.fault(settings, num_parents)
    if fault is not None:
        raise RecipeError(f"{fault}.")
    return settings


def _check_names(rule: Rule, method: Method) -> None:
    spec = method.spec
    legal = [p.name for p in spec.parameters]
    for name in rule.values:
        if name not in legal:
            raise RecipeError(
                f"unknown parameter {name!r}. {spec.name} takes {', '.join(legal)}."
                f"{nearest(name, legal)}"
            )


def _values(
    parameter: Parameter, given: Value | None, num_parents: int
) -> tuple[float | str, ...]:
    """Return a parameter's values: one per parent, or one where its level is the tensor."""
    value = parameter.default if given is None else given
    if value is None:
        raise RecipeError(f"{parameter.name} is missing and has no default. Give it a value.")
    count = num_parents if parameter.level == "parent" else 1
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * count
    if len(values) != count or (parameter.level == "tensor" and isinstance(value, tuple | list)):
        kind = "name" if parameter.choices else "number"
        expected = f"one {kind} or {count}" if parameter.level == "parent" else f"one {kind}"
        raise RecipeError(
            f"{parameter.name} holds {len(values)} {kind}s for {num_parents} parents. "
            f"Give {expected}."
        )
    for one in values:
        if not parameter.is_legal(one):
            hint = nearest(one, list(parameter.choices)) if isinstance(one, str) else ""
            raise RecipeError(
                f"{parameter.name} is {one!r}. Legal is {parameter.legal}; change it.{hint}"
            )
    return values
