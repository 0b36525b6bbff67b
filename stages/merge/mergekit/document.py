"""A MergeKit file: its documents, read and checked without looking at any model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stages.errors import RecipeError
from stages.files import text_of
from stages.hashing import nearest
from stages.merge.arithmetic.method import Method
from stages.merge.mergekit.method_spellings import Dialect, dialect_of
from stages.merge.mergekit.node_reader import Nodes, Reader, shown
from stages.merge.mergekit.schema import (
    Config,
    Input,
    Module,
    SliceSection,
    Value,
    Values,
)
from stages.merge.mergekit.tokenizer_section import read_tokenizer
from stages.merge.methods import METHODS
from stages.merge.plan.plan import DTYPES
from stages.recipe.method_spec import MethodSpec
from stages.yaml_text import Node, documents_in

KEYS = (
    "merge_method",
    "models",
    "slices",
    "modules",
    "base_model",
    "parameters",
    "dtype",
    "out_dtype",
    "tokenizer_source",
    "tokenizer",
    "chat_template",
    "name",
    "compat",
)
_MODULE = ("models", "slices", "modules")


def read_file(path: Path, plugins: Mapping[str, Method] | None = None) -> tuple[Config, ...]:
    """Return the documents of the MergeKit file at ``path``, which may use ``plugins`` by name.

    Raises:
        RecipeError: it cannot be read, or says something that is not legal; every fault of every
            document is listed, one a line, with its line number.
    """
    try:
        text = text_of(path)
    except FileNotFoundError as error:
        raise RecipeError(
            f"{path}: cannot be read: No such file or directory. Give a MergeKit YAML file, a "
            "recipe, or the folder of a model that germline merged."
        ) from error
    except ValueError as error:
        raise RecipeError(f"{path}: {error}. Give a MergeKit YAML file.") from error
    return read_text(text, file=path.name, plugins=plugins)


def read_text(
    text: str, *, file: str, plugins: Mapping[str, Method] | None = None
) -> tuple[Config, ...]:
    """Return the documents of a MergeKit text; messages begin with the name of its ``file``.

    Raises:
        RecipeError: as ``read_file``.
    """
    try:
        nodes = documents_in(text)
    except ValueError as error:
        raise RecipeError(f"{file}, {error}.") from error
    if not nodes:
        raise RecipeError(f"{file}: holds no document. Give at least a merge_method and models.")
    reader = Reader(file)
    methods = {**METHODS, **(plugins or {})}
    configs = [_Document(reader, node, methods).config() for node in nodes]
    reader.faults.raise_as(RecipeError)
    return tuple(config for config in configs if config is not None)


class _Document:
    """One document's nodes, read with its method's parameters at hand."""

    def __init__(self, reader: Reader, node: Node, methods: Mapping[str, Method]) -> None:
        self._reader = reader
        self._node = node
        self._methods = methods
        self._dialect: Dialect | None = None

    def config(self) -> Config | None:
        if not isinstance(self._node.value, dict):
            legal = ", ".join(KEYS)
            message = f"got {shown(self._node)}. Give a mapping of {legal}."
            self._reader.fault(self._node, "", message)
            return None
        reader, nodes = self._reader, self._reader.mapping(self._node, "", KEYS, ("merge_method",))
        spec = self._spec(nodes)
        self._dialect = dialect_of(spec) if spec else None
        name = reader.text(nodes, "name")
        base = nodes.get("base_model")
        reference = reader.reference(base, "base_model") if base else None
        modules = self._modules(nodes)
        bases = [part.base for module in modules for part in module.slices]
        is_based = reference is not None or base is not None or (bases and None not in bases)
        if spec and self._dialect and self._dialect.needs_base and not is_based:
            message = f"is missing. {spec.name} needs a base; name one."
            reader.fault(self._node, "base_model", message)
        values = self._values(nodes, "", levels=("model", "tensor"))
        compat = reader.choice(nodes, "compat", ("mergekit",))
        return Config(
            name=name,
            method=spec.name if spec else "",
            base=reference,
            modules=modules,
            values=values,
            dtype=reader.choice(nodes, "dtype", tuple(DTYPES), prefix="torch."),
            out_dtype=reader.choice(nodes, "out_dtype", tuple(DTYPES), prefix="torch."),
            tokenizer=read_tokenizer(reader, nodes),
            chat_template=reader.text(nodes, "chat_template"),
            compat=compat is not None,
            where=f"{reader.file}, document {name}" if name else reader.file,
        )

    def _spec(self, nodes: Nodes) -> MethodSpec | None:
        """Return the method's spec; a card names a plug-in with its hash, and that is read too."""
        hashed = {method.spec.name: method for method in self._methods.values()}
        given = nodes.get("merge_method")
        if given is not None and isinstance(given.value, str) and given.value in hashed:
            return hashed[given.value].spec
        name = self._reader.choice(nodes, "merge_method", sorted(self._methods))
        return self._methods[name].spec if name else None

    def _modules(self, nodes: Nodes) -> tuple[Module, ...]:
        given = [key for key in _MODULE if key in nodes]
        if len(given) != 1:
            message = f"got {' and '.join(given) or 'none'}. Give one of {', '.join(_MODULE)}."
            self._reader.fault(self._node, "models", message)
            return ()
        if given != ["modules"]:
            return (self._module(None, nodes, self._node, ""),)
        node = nodes["modules"]
        if not isinstance(node.value, dict) or not node.value:
            self._reader.fault(node, "modules", "Give a mapping of module names.")
            return ()
        modules = []
        for name, child in node.value.items():
            path = f"modules.{name}"
            inner = self._reader.mapping(child, path, ("models", "slices", "parameters"))
            if ("models" in inner) == ("slices" in inner):
                self._reader.fault(child, path, "Give either models or slices.")
                continue
            modules.append(self._module(name, inner, child, f"{path}."))
        return tuple(modules)

    def _module(self, name: str | None, nodes: Nodes, node: Node, path: str) -> Module:
        values = self._values(nodes, path, levels=("model", "tensor")) if name else {}
        where = self._reader.at(node, path or "models")
        if "models" in nodes:
            inputs = self._inputs(nodes["models"], f"{path}models", has_layers=False)
            slices: Sequence[SliceSection] = (SliceSection(inputs, None, {}, where=where),)
        else:
            items = self._reader.items(nodes["slices"], f"{path}slices")
            slices = [self._slice(n, f"{path}slices[{i}]") for i, n in enumerate(items)]
            ranges = {i.layers for part in slices for i in part.inputs if i.layers}
            # [0, 0] alone is all of a module that has no layers, such as a projector.
            if ranges != {(0, 0)} and ranges and all(first == stop for first, stop in ranges):
                message = "hold no layers. Give [first, last + 1] of at least one."
                self._reader.fault(nodes["slices"], f"{path}slices", message)
        return Module(name, tuple(slices), "models" in nodes, values, where=where)

    def _slice(self, node: Node, path: str) -> SliceSection:
        reader = self._reader
        nodes = reader.mapping(node, path, ("sources", "base_model", "parameters"), ("sources",))
        inputs = self._inputs(nodes["sources"], f"{path}.sources") if "sources" in nodes else ()
        base = nodes.get("base_model")
        own_base = reader.reference(base, f"{path}.base_model") if base else None
        lengths = {i.layers[1] - i.layers[0] for i in inputs if i.layers}
        if len(lengths) > 1:
            text = ", ".join(str(list(i.layers)) for i in inputs if i.layers)
            reader.fault(node, path, f"layer_range is {text}. Give ranges of one length.")
        values = self._values(nodes, f"{path}.", levels=("model", "tensor"))
        return SliceSection(inputs, own_base, values, where=reader.at(node, path))

    def _inputs(self, node: Node, path: str, *, has_layers: bool = True) -> tuple[Input, ...]:
        reader, inputs = self._reader, []
        required = ("model", "layer_range") if has_layers else ("model",)
        for index, item in enumerate(reader.items(node, path)):
            here = f"{path}[{index}]"
            nodes = reader.mapping(item, here, (*required, "parameters"), required)
            values = self._values(nodes, f"{here}.", levels=("model",))
            layers = self._layers(nodes["layer_range"], here) if "layer_range" in nodes else None
            model = reader.reference(nodes["model"], f"{here}.model") if "model" in nodes else None
            if model is not None:
                inputs.append(Input(model, layers, values, where=reader.at(item, here)))
        return tuple(inputs)

    def _layers(self, node: Node, path: str) -> tuple[int, int] | None:
        path = f"{path}.layer_range"
        ends = node.value if isinstance(node.value, list) else []
        numbers = [self._reader.whole(end, path, 0) for end in ends]
        match numbers:
            case [int(first), int(stop)] if first <= stop:
                return first, stop
        if None not in numbers:
            message = f"got {node.plain()}. Give [first, last + 1] with first <= last + 1."
            self._reader.fault(node, path, message)
        return None

    def _values(self, nodes: Nodes, path: str, levels: Sequence[str]) -> Values:
        node = nodes.get("parameters")
        if node is None:
            return {}
        path = f"{path}parameters"
        if not isinstance(node.value, dict):
            self._reader.fault(node, path, "Give a mapping of names to values.")
            return {}
        read = ((k, self._value(k, n, f"{path}.{k}", levels)) for k, n in node.value.items())
        return {name: value for name, value in read if value is not None}

    def _value(self, name: str, node: Node, path: str, levels: Sequence[str]) -> Value | None:
        if self._dialect is None:
            return None  # the unknown method is the fault; what it takes is not known
        if name in self._dialect.others:
            return self._reader.value(node, path, self._dialect.others[name])
        term = self._dialect.terms.get(name)
        if term is None:
            legal = [n for n, t in self._dialect.terms.items() if t.level in levels]
            message = f"Legal here are {', '.join(legal) or 'none'}.{nearest(name, legal)}"
            self._reader.fault(node, path, f"unknown parameter. {message}")
            return None
        if term.level not in levels:
            message = "has one value for a tensor, not one for a model."
            advice = "Give it under the parameters of the slice or the document."
            self._reader.fault(node, path, f"{message} {advice}")
            return None
        return self._reader.value(node, path, term)
