"""What a MergeKit document says, as plain data: nothing is looked up, nothing is filled in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stages.recipe.model_reference import ModelReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A part of a document; ``where`` it stands starts the messages about it."""

    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Entry(Passage):
    """One value of a parameter: ``anchors`` of a gradient (one is a constant), or a ``choice``.

    The filter is a part of a tensor's name; None is for every tensor.
    """

    anchors: tuple[float, ...]
    filter: str | None = None
    choice: str | None = None  # the name given, where the parameter is a choice of names


Value = tuple[Entry, ...]
Values = Mapping[str, Value]
Naming = Callable[[ModelReference], str]


@dataclass(frozen=True, slots=True)
class Input(Passage):
    """A model in a slice; ``layers`` is half-open, None stands for all of them."""

    model: ModelReference
    layers: tuple[int, int] | None
    values: Values

    def to_dict(self, naming: Naming) -> dict[str, Any]:
        """Return the entry as MergeKit spells it, models named as ``naming`` gives."""
        layers = None if self.layers is None else list(self.layers)
        return given(model=naming(self.model), layer_range=layers, parameters=plain(self.values))


@dataclass(frozen=True, slots=True)
class SliceSection(Passage):
    """Some consecutive layers of the child, and what they are made of."""

    inputs: tuple[Input, ...]
    base: ModelReference | None
    values: Values

    def to_dict(self, naming: Naming) -> dict[str, Any]:
        """Return the slice as MergeKit spells it, models named as ``naming`` gives."""
        return given(
            sources=[part.to_dict(naming) for part in self.inputs],
            base_model=None if self.base is None else naming(self.base),
            parameters=plain(self.values),
        )


@dataclass(frozen=True, slots=True)
class Module(Passage):
    """A part of a model with layers of its own; ``name`` is None for all of a model.

    With ``is_whole`` there is one slice of all layers, to which the base is added if missing.
    """

    name: str | None
    slices: tuple[SliceSection, ...]
    is_whole: bool
    values: Values

    def to_dict(self, naming: Naming) -> dict[str, Any]:
        """Return the module as MergeKit spells it, models named as ``naming`` gives."""
        slices = [part.to_dict(naming) for part in self.slices]
        models = slices[0]["sources"] if self.is_whole else None
        parameters = plain(self.values)
        return given(
            models=models, slices=None if self.is_whole else slices, parameters=parameters
        )


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """Where one token's row comes from: ``kind`` is model, model_token or zero."""

    kind: str
    model: ModelReference | None = None
    token: str | None = None
    token_id: int | None = None
    force: bool = False

    def to_dict(self, naming: Naming) -> dict[str, Any]:
        """Return it as MergeKit spells it, the model named as ``naming`` gives."""
        name = None if self.model is None else naming(self.model)
        detail = given(kind=self.kind, model=name, token=self.token, token_id=self.token_id)
        return {"source": name if self.kind == "model" else detail, "force": self.force}


@dataclass(frozen=True, slots=True)
class TokenizerConfig:
    """What the child's tokenizer is to be; ``source`` is base, union or a model."""

    source: str | ModelReference
    tokens: Mapping[str, TokenConfig] = field(default_factory=dict)
    pad_to_multiple_of: int | None = None

    def to_dict(self, naming: Naming) -> dict[str, Any]:
        """Return it as MergeKit spells it, the source named as ``naming`` gives."""
        source = naming(self.source) if isinstance(self.source, ModelReference) else self.source
        multiple = self.pad_to_multiple_of
        tokens = {token: part.to_dict(naming) for token, part in self.tokens.items()}
        return given(source=source, tokens=tokens, pad_to_multiple_of=multiple)


@dataclass(frozen=True, slots=True)
class Config(Passage):
    """One document."""

    name: str | None
    method: str
    base: ModelReference | None
    modules: tuple[Module, ...]
    values: Values
    dtype: str | None
    out_dtype: str | None
    tokenizer: TokenizerConfig | None
    chat_template: str | None
    compat: bool

    @property
    def references(self) -> tuple[ModelReference, ...]:
        """The models that it names, each once: the base, then in the order of the text."""
        inputs = [i for m in self.modules for s in m.slices for i in s.inputs]
        bases = [s.base for m in self.modules for s in m.slices if s.base]
        named = [*([self.base] if self.base else []), *(i.model for i in inputs), *bases]
        if self.tokenizer:
            origins = (token.model for token in self.tokenizer.tokens.values())
            named += [
                r for r in (self.tokenizer.source, *origins) if isinstance(r, ModelReference)
            ]
        return tuple(dict.fromkeys(named))

    @property
    def levels(self) -> tuple[Values, ...]:
        """The values that are given, from the document's to those of single models."""
        levels = [self.values]
        for module in self.modules:
            levels.append(module.values)
            for part in module.slices:
                levels += [part.values, *(source.values for source in part.inputs)]
        return tuple(levels)

    def to_dict(self, naming: Naming) -> dict[str, Any]:
        """Return the document as MergeKit spells it, models named as ``naming`` gives.

        It can be read again; its own name, which decides nothing, is left out.
        """
        named = {str(m.name): m.to_dict(naming) for m in self.modules if m.name is not None}
        whole = {} if named else self.modules[0].to_dict(naming)
        return whole | given(
            merge_method=self.method,
            base_model=None if self.base is None else naming(self.base),
            modules=named,
            parameters=plain(self.values),
            dtype=self.dtype,
            out_dtype=self.out_dtype,
            tokenizer=None if self.tokenizer is None else self.tokenizer.to_dict(naming),
            chat_template=self.chat_template,
            compat="mergekit" if self.compat else None,
        )


def given(**keys: Any) -> dict[str, Any]:
    """Return the keys that hold something."""
    return {key: value for key, value in keys.items() if value not in (None, {}, [])}


def plain(values: Values) -> dict[str, Any]:
    """Return values as MergeKit spells them."""
    return {name: _spelled(value) for name, value in values.items()}


def _spelled(value: Value) -> Any:
    if len(value) == 1 and value[0].filter is None:
        return _bare(value[0])
    return [{"filter": entry.filter or "*", "value": _bare(entry)} for entry in value]


def _bare(entry: Entry) -> Any:
    if entry.choice is not None:
        return entry.choice
    return list(entry.anchors) if len(entry.anchors) > 1 else entry.anchors[0]
