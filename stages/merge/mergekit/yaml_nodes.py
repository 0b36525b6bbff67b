"""YAML text to nodes that know their lines; only plain data comes out of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from stages.errors import RecipeError, at

MAX_NODES = 100_000  # aliases can make a short text stand for any number of nodes
MAX_DEPTH = 30
# YAML 1.1 takes 1e-5, without a dot, for text; everyone who writes it means a number.
_FLOAT = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+")
_MERGE = "tag:yaml.org,2002:merge"
_PLAIN_TAGS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float"))

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the line it stands on; the values of a mapping or list are nodes again."""

    value: "Scalar | dict[str, Node] | list[Node]"
    line: int

    def plain(self) -> object:
        """Return the value as plain data, without lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def read_documents(text: str) -> list[Node]:
    """Return the documents of a YAML text; empty ones are left out.

    Raises:
        RecipeError: it is not YAML, holds a key twice, or something that is not plain data.
    """
    try:
        loader = yaml.SafeLoader(text)
        documents = []
        while loader.check_node():
            tree = loader.get_node()
            node = _Walk(loader).node(tree) if tree is not None else None
            if node is not None and node.value is not None:
                documents.append(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        with at(f"line {line}"):
            raise RecipeError(
                f"not YAML: {error.problem}. Check quotes and indentation."
            ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"not YAML: {error}. Check the file.") from error
    return documents


class _Walk:
    """Turns one document's tree into nodes, and counts them."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._count = 0
        self._flat: set[int] = set()

    def node(self, tree: yaml.Node, depth: int = 0) -> Node:
        self._count += 1
        line = tree.start_mark.line + 1
        if self._count > MAX_NODES or depth > MAX_DEPTH:
            with at(f"line {line}"):
                raise RecipeError(
                    f"more than {MAX_NODES} values, or {MAX_DEPTH} levels. Write the aliases out."
                )
        if isinstance(tree, yaml.MappingNode):
            return Node(dict(self._items(tree, depth + 1)), line)
        if isinstance(tree, yaml.SequenceNode):
            return Node([self.node(item, depth + 1) for item in tree.value], line)
        with at(f"line {line}"):
            return Node(self._scalar(tree), line)

    def _items(self, tree: yaml.MappingNode, depth: int) -> Iterator[tuple[str, Node]]:
        if id(tree) not in self._flat:  # an alias leads here more than once
            self._flat.add(id(tree))
            self._check_keys([key for key, _ in tree.value if key.tag != _MERGE])
            self._loader.flatten_mapping(tree)  # `<<: *other`; its own keys come last, and win
        for key, value in tree.value:
            yield str(key.value), Node(self.node(value, depth).value, key.start_mark.line + 1)

    def _check_keys(self, keys: list[yaml.Node]) -> None:
        lines: dict[str, int] = {}
        for key in keys:
            line = key.start_mark.line + 1
            with at(f"line {line}"):
                if not isinstance(key, yaml.ScalarNode):
                    raise RecipeError("a key is not a word. Keys are words.")
                if key.value in lines:
                    raise RecipeError(
                        f"{key.value} is given twice, first on line {lines[key.value]}. Keep one."
                    )
            lines[key.value] = line

    def _scalar(self, tree: yaml.Node) -> Scalar:
        text = str(tree.value)
        if tree.tag == "tag:yaml.org,2002:str":
            is_plain = isinstance(tree, yaml.ScalarNode) and tree.style is None
            return float(text) if is_plain and _FLOAT.fullmatch(text) else text
        if tree.tag in _PLAIN_TAGS:
            try:
                value = self._loader.construct_object(tree)
            except ValueError as error:
                raise RecipeError(f"{text}: {error}. Quote it if it is text.") from error
            return value if isinstance(value, bool | int | float) else None
        if tree.tag == "tag:yaml.org,2002:timestamp":
            return text
        raise RecipeError(f"the tag {tree.tag} is not plain data. Remove it.")
