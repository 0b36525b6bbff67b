"""The one description of a child: its ancestors, what becomes of which tensor, and how.

A search's candidate, a MergeKit file and a recipe written by hand are this; its hash is the only
id of a merge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Discriminator, Tag

from stages.hashing import content_hash
from stages.recipe.html_table import html_table
from stages.recipe.recipe_json import plain, read
from stages.recipe.tokenizer import Tokenizer, tokenizer_named

RECIPE_VERSION = 4  # raised when the same recipe would give other bytes: part of every id

Value = float | str | tuple[float, ...]  # a name where the parameter is a choice of names
COMPONENTS = ("attention", "mlp", "rest")
MERGE = "merge"  # what a path calls the merge of its own genome, an ancestor that is a recipe
MAX_GAIN = 64  # beyond it weights in half precision leave their range
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Model:
    """A named set of weights; ``hash`` is ``hashing.weights_hash`` of its tensors.

    ``source`` is a public place where anybody finds it, ``ORG/NAME@COMMIT``, where one is known.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    hash: str
    source: str | None = None

    @property
    def id(self) -> str:
        """What stands for it in a recipe's id: its weights, not what somebody calls them."""
        return self.hash


@dataclass(frozen=True, slots=True)
class NestedRecipe:
    """An ancestor that is itself merged, under a name."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    recipe: "Recipe"

    @property
    def id(self) -> str:
        """What stands for it in a recipe's id."""
        return self.recipe.id


def _kind_of_ancestor(value: object) -> str:
    is_nested = "recipe" in value if isinstance(value, Mapping) else hasattr(value, "recipe")
    return "nested" if is_nested else "model"


Ancestor = Annotated[
    Annotated[Model, Tag("model")] | Annotated[NestedRecipe, Tag("nested")],
    Discriminator(_kind_of_ancestor),
]


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive layers of the ancestor at a place: ``first`` to ``stop``, half-open."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    ancestor: int
    first: int
    stop: int

    @property
    def length(self) -> int:
        """The number of layers."""
        return self.stop - self.first


@dataclass(frozen=True, slots=True)
class Slice:
    """Some consecutive layers of the child: spans of one length, which are merged.

    The first slice also gives what stands before the layers, the last what stands after them; one
    of no layers gives nothing else.

    What their attention (or state space, or convolution) adds to the stream of hidden states is
    multiplied by ``attention_gain``, what their MLP or experts add by ``mlp_gain``. A slice of one
    layer of one ancestor is a hop of a path.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    parents: tuple[Span, ...]
    base: Span | None = None
    attention_gain: float = 1.0
    mlp_gain: float = 1.0

    @property
    def spans(self) -> tuple[Span, ...]:
        """The base's span, if there is one, then the parents'."""
        return self.parents if self.base is None else (self.base, *self.parents)

    @property
    def is_empty(self) -> bool:
        """Whether it is legal and holds no layers; one without parents is a fault."""
        return bool(self.parents) and all(0 <= span.first == span.stop for span in self.spans)

    @property
    def gains(self) -> tuple[float, float]:
        """The gains of the attention and of the MLP."""
        return self.attention_gain, self.mlp_gain


@dataclass(frozen=True, slots=True)
class ModuleLayers:
    """The layers of one module of the child, slice upon slice.

    The stream of hidden states is multiplied by ``stream_scale`` before it enters the first.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    module: str
    slices: tuple[Slice, ...]
    stream_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Rule:
    """How the tensors are merged that meet all of its conditions; None and () are met by all.

    ``layers`` (half-open) count in the child, in a tensor's own module. Tensors outside the
    layers have none; nor have those of a vision tower or a projector, unless ``module`` names it.
    Each of ``parts`` is a part of the tensor's name in the child. A value is a number, one number
    per parent, or a name, as the parameter says; ``method`` replaces the recipe's.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    values: Mapping[str, Value]
    layers: tuple[int, int] | None = None
    component: str | None = None
    module: str | None = None
    parts: tuple[str, ...] = ()
    method: str | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a merge needs; two recipes with one ``id`` give the same weights.

    The first of ``ancestors`` is the frame: the child has its config, its code, the tensors that
    are copied and, unless ``tokenizer`` says otherwise, its tokenizer. Whole models are merged:
    ``parents``, which are places among the ancestors, apart from a ``base``; or, where ``layers``
    is given, the spans that it names. The order of parents decides rounding.

    ``rules`` are tried in order and the first that matches a tensor gives its values; a tensor
    that no rule matches is an error. ``modules`` are merged besides the language model, such as
    ``vision_tower``. With ``dtype`` None each tensor keeps its own (float64 becomes float32).
    ``rounding`` rounds each step as MergeKit does, to a dtype or to the tensor's ``own``.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    method: str
    ancestors: tuple[Ancestor, ...]
    rules: tuple[Rule, ...]
    base: int | None = None
    parents: tuple[int, ...] = ()
    layers: tuple[ModuleLayers, ...] = ()
    modules: tuple[str, ...] = ()
    tokenizer: Tokenizer = field(default_factory=Tokenizer)
    dtype: str | None = None
    rounding: str | None = None
    seed: int = 0

    @classmethod
    def of_models(
        cls,
        method: str,
        parents: Sequence[Ancestor],
        rules: Sequence[Rule],
        base: Ancestor | None = None,
        *,
        others: Sequence[Ancestor] = (),
        tokenizer: str = "base",
        modules: Sequence[str] = (),
        **settings: Any,
    ) -> Self:
        """Return the recipe that merges whole models; the frame is the base, or the first parent.

        ``others`` have a part in the vocabulary alone; ``tokenizer`` is spelled as in params.yaml.
        """
        named = [*([] if base is None else [base]), *parents, *others]
        ancestors = tuple(a for index, a in enumerate(named) if named.index(a) == index)
        names = tuple(ancestor.name for ancestor in ancestors)
        return cls(
            method,
            ancestors,
            tuple(rules),
            base=None if base is None else 0,
            parents=tuple(ancestors.index(parent) for parent in parents),
            tokenizer=tokenizer_named(tokenizer, names),
            modules=tuple(sorted(modules)),
            **settings,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain JSON data without its defaults; ``from_dict`` reads it."""
        return {**plain(self), "version": RECIPE_VERSION}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the recipe that ``to_dict`` wrote, or a person.

        Raises:
            RecipeError: a key is unknown, missing or of the wrong type; or it was written by a
                version of germline that merges differently.
        """
        return read(cls, data, RECIPE_VERSION)

    @property
    def merged(self) -> tuple[Ancestor, ...]:
        """The ancestors that are parents of some tensor, in the order in which they are named."""
        slices = [part for module in self.layers for part in module.slices]
        spans = [span.ancestor for part in slices for span in part.parents]
        return tuple(self.ancestors[index] for index in dict.fromkeys((*self.parents, *spans)))

    @property
    def models(self) -> tuple[Model, ...]:
        """The models among the ancestors and among the ancestors' own, to any depth, each once."""
        models: list[Model] = []
        for ancestor in self.ancestors:
            if isinstance(ancestor, NestedRecipe):
                models += ancestor.recipe.models
            else:
                models.append(ancestor)
        return tuple(dict.fromkeys(models))

    @property
    def hop_order(self) -> list[tuple[object, ...]]:
        """What each layer of the child is made of: children that begin alike sort together."""
        names = [ancestor.id for ancestor in self.ancestors]
        return [
            (tuple((names[span.ancestor], span.first + n) for span in part.spans), part.gains)
            for module in self.layers
            for part in module.slices
            for n in range(part.spans[0].length)
        ]

    @property
    def id(self) -> str:
        """The hash of all that decides the weights: names and sources are not part of it."""
        data = self.to_dict()
        data["ancestors"] = [ancestor.id for ancestor in self.ancestors]
        return content_hash(data)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: what is merged by which method, rule by rule."""
        rows = [("ancestor", f"{one.name} ({one.id[:16]})") for one in self.ancestors]
        rows += [("rule", _shown(rule)) for rule in self.rules]
        return html_table(f"recipe {self.id[:16]}: {self.method}", ("", ""), rows)


def _shown(rule: Rule) -> str:
    """Return a rule on one line: where it holds, then what it says."""
    where = {
        "layers": rule.layers and f"{rule.layers[0]}-{rule.layers[1] - 1}",
        "component": rule.component,
        "module": rule.module,
        "parts": " ".join(rule.parts),
        "method": rule.method,
    }
    texts = [f"{key} {value}" for key, value in where.items() if value]
    values = (f"{key} {value}" for key, value in rule.values.items())
    return f"{', '.join(texts) or 'all'}: {', '.join(values)}"
