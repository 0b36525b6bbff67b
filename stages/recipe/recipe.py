"""Recipe (all that a merge needs) and Candidate (a recipe with its origin): plain data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from stages.errors import RecipeError
from stages.hashing import content_hash

RECIPE_VERSION = 3  # raised when the same recipe would give other bytes: part of every id

Value = float | str | tuple[float, ...]  # a name where the parameter is a choice of names
COMPONENTS = ("attention", "mlp", "rest")
Law = Literal["equal parents", "zero task vectors", "zero weight", "density"]


@dataclass(frozen=True, slots=True)
class Model:
    """A named set of weights; ``hash`` is ``hashing.weights_hash`` of its tensors."""

    name: str
    hash: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Parameter values for the tensors it matches: ``layers`` (half-open) and ``component``.

    None matches all. Tensors outside the layers (embeddings, final norm, head) have no layer and
    match only rules whose ``layers`` is None. A value is a number, one number per parent, or a
    name, as the method's parameter says.
    """

    values: Mapping[str, Value]
    layers: tuple[int, int] | None = None
    component: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the rule as plain JSON data; ``from_dict`` is its inverse."""
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in self.values.items()}
        layers = list(self.layers) if self.layers is not None else None
        return {"values": values, "layers": layers, "component": self.component}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the rule that ``to_dict`` wrote."""
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in data["values"].items()}
        layers = (int(data["layers"][0]), int(data["layers"][1])) if data["layers"] else None
        return cls(values=values, layers=layers, component=data["component"])


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a merge needs; two recipes with one ``id`` give the same bytes.

    ``rules`` are tried in order and the first that matches a tensor gives its values; a tensor
    that no rule matches is an error. ``parents`` keep their order: it decides rounding.
    ``modules`` are merged beside the language model, such as ``vision_tower``.

    ``tokenizer`` says whose tokens the child has: ``base``, ``union`` or a parent's name; where
    rows are moved for that, ``@`` and a hash of the models' tokenizers follow.
    """

    method: str
    parents: tuple[Model, ...]
    rules: tuple[Rule, ...]
    base: Model | None = None
    dtype: str = "bfloat16"
    tokenizer: str = "base"
    seed: int = 0
    modules: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain JSON data; ``from_dict`` is its inverse."""
        data: dict[str, Any] = {
            "base": {"name": self.base.name, "hash": self.base.hash} if self.base else None,
            "dtype": self.dtype,
            "method": self.method,
            "parents": [{"name": p.name, "hash": p.hash} for p in self.parents],
            "rules": [rule.to_dict() for rule in self.rules],
            "seed": self.seed,
            "tokenizer": self.tokenizer,
            "version": RECIPE_VERSION,
        }
        if self.modules:  # most recipes name none, and their ids are older than the field
            data["modules"] = sorted(self.modules)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the recipe that ``to_dict`` wrote.

        Raises:
            RecipeError: it was written by a version of germline that merges differently.
        """
        if data.get("version") != RECIPE_VERSION:
            raise RecipeError(
                f"recipe: version is {data.get('version')!r}. This germline merges version "
                f"{RECIPE_VERSION}; use the release that wrote it to rebuild it bit for bit."
            )
        return cls(
            method=data["method"],
            parents=tuple(Model(p["name"], p["hash"]) for p in data["parents"]),
            rules=tuple(Rule.from_dict(rule) for rule in data["rules"]),
            base=Model(data["base"]["name"], data["base"]["hash"]) if data["base"] else None,
            dtype=data["dtype"],
            tokenizer=data["tokenizer"],
            seed=data["seed"],
            modules=tuple(data.get("modules", ())),
        )

    @property
    def id(self) -> str:
        """The hash of everything that decides the bytes; names of models are not part of it."""
        data = self.to_dict()
        data["parents"] = [p.hash for p in self.parents]
        data["base"] = self.base.hash if self.base else None
        return content_hash(data)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A genome, the recipe it decodes to, and where in the search it arose."""

    name: str  # g03-c07: generation 3, place 7; or a baseline's or parent's name
    genome: tuple[float, ...]
    recipe: Recipe
    generation: int
    ancestors: tuple[str, ...] = field(default=())

    @property
    def id(self) -> str:
        """The recipe's id: two places in a search may hold one candidate."""
        return self.recipe.id


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a merge method: ``level`` says one number per parent or one per tensor.

    With ``choices`` its value is one of these names, one per tensor; else it is a number from
    ``low`` to ``high``. ``is_open``: ``low`` itself is not legal. ``is_whole``: whole numbers
    only; a whole number from 0 to 1 is a switch.
    """

    name: str
    level: Literal["parent", "tensor"]
    default: float | str | None  # None: the recipe must give it
    low: float
    high: float
    doc: str
    choices: tuple[str, ...] = ()
    is_open: bool = False
    is_whole: bool = False

    @property
    def legal(self) -> str:
        """What a value may be, in words."""
        if self.choices:
            return " or ".join(self.choices)
        if self.is_whole:
            if (self.low, self.high) == (0, 1):
                return "0 or 1"
            last = "" if math.isinf(self.high) else f" to {self.high:g}"
            return f"a whole number from {self.low:g}{last}"
        if math.isinf(self.low):
            return "a finite number"
        opening, closing = "(" if self.is_open else "[", ")" if math.isinf(self.high) else "]"
        return f"a number in {opening}{self.low:g}, {self.high:g}{closing}"

    def is_legal(self, value: object) -> bool:
        """Return whether ``value`` is a legal number, or name, for one parent or tensor."""
        if self.choices:
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not math.isfinite(value) or not self.low <= value <= self.high:
            return False
        return (value > self.low or not self.is_open) and (
            value == int(value) or not self.is_whole
        )


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """What a merge method takes: read by the validator, the search space and the docs.

    ``exempt`` are the laws of docs/merge-methods.md that its formula does not keep, and why.
    """

    name: str
    parameters: tuple[Parameter, ...]
    needs_base: bool
    min_parents: int
    max_parents: int | None
    source: str  # the paper, or where the formula is stated
    summary: str
    exempt: tuple[tuple[Law, str], ...] = ()
