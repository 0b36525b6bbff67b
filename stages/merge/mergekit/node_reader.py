"""YAML nodes to plain data: what each key may hold. All faults are collected, none is raised."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from stages.errors import Faults
from stages.hashing import nearest
from stages.merge.mergekit.method_spellings import Term
from stages.merge.mergekit.schema import Entry, Value
from stages.recipe.model_reference import ModelReference
from stages.yaml_text import Node

MAX_LAYERS = 100_000
MAX_SHOWN = 200  # characters of a value in a message
Nodes = Mapping[str, Node]


class Reader:
    """Reads the nodes of one file; ``faults`` grows, and what is at fault comes out as None."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults = Faults()

    def at(self, node: Node, path: str) -> str:
        """Return how a message about a node begins."""
        return f"{self.file}, line {node.line}" + (f": {path}" if path else "")

    def fault(self, node: Node, path: str, message: str) -> None:
        """Take note of a fault."""
        with self.faults.at(self.at(node, path)):
            self.faults.add(message, line=node.line)

    def mapping(
        self, node: Node, path: str, legal: Sequence[str], required: Iterable[str] = ()
    ) -> Nodes:
        """Return a mapping's nodes without null; unknown and missing keys are faults."""
        if not isinstance(node.value, dict):
            self.fault(node, path, f"got {shown(node)}. Give a mapping of {', '.join(legal)}.")
            return {}
        for key, child in node.value.items():
            if key not in legal:
                hint = nearest(key, list(legal))
                message = f"unknown key. Legal are {', '.join(legal)}.{hint}"
                self.fault(child, _join(path, key), message)
        for key in required:
            if key not in node.value:
                self.fault(node, path, f"{key} is missing. Add it.")
        return {k: n for k, n in node.value.items() if k in legal and n.value is not None}

    def items(self, node: Node, path: str) -> list[Node]:
        """Return the nodes of a list that is not empty."""
        if isinstance(node.value, list) and node.value:
            return node.value
        self.fault(node, path, f"got {shown(node)}. Give a list with at least one entry.")
        return []

    def text(self, nodes: Nodes, key: str, path: str = "") -> str | None:
        """Return the text under a key, or None where there is no such key."""
        node = nodes.get(key)
        if node is None or isinstance(node.value, str):
            return None if node is None else str(node.value)
        self.fault(node, _join(path, key), f"got {shown(node)}. Give text.")
        return None

    def choice(
        self, nodes: Nodes, key: str, legal: Sequence[str], *, prefix: str = ""
    ) -> str | None:
        """Return the text under a key, which is one of ``legal``; it may have a prefix."""
        node = nodes.get(key)
        return None if node is None else self._name(node, key, legal, prefix)

    def _name(self, node: Node, path: str, legal: Sequence[str], prefix: str = "") -> str | None:
        """Return a text that is one of ``legal``, without its prefix."""
        text = node.value.removeprefix(prefix) if isinstance(node.value, str) else None
        if text in legal:
            return text
        quotes = " In quotes it is text." if isinstance(node.value, bool | int | float) else ""
        hint = nearest(text, list(legal)) if text is not None else quotes
        self.fault(node, path, f"got {shown(node)}. Legal are {', '.join(legal)}.{hint}")
        return None

    def whole(self, node: Node, path: str, low: int, high: int = MAX_LAYERS) -> int | None:
        """Return a whole number from ``low`` to ``high``."""
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.fault(node, path, f"got {shown(node)}. Give a whole number from {low} to {high}.")
        return None

    def reference(self, node: Node, path: str) -> ModelReference | None:
        """Return the model that a text or a mapping names."""
        if isinstance(node.value, str):
            return self._spelled(node, path, node.value)
        nodes = self.mapping(node, path, ("model", "lora", "override_architecture"), ("model",))
        if "override_architecture" in nodes:
            message = "is not read: architectures are told from the tensors. Remove it."
            self.fault(nodes["override_architecture"], f"{path}.override_architecture", message)
        if "model" not in nodes:
            return None
        model = self._part(nodes["model"], f"{path}.model")
        lora = self._part(nodes["lora"], f"{path}.lora") if "lora" in nodes else (None, None)
        return ModelReference(model[0], model[1], *lora) if model and model[0] and lora else None

    def _spelled(self, node: Node, path: str, text: str) -> ModelReference | None:
        reference = ModelReference.read(text)
        if reference is None:
            message = "Write PATH, PATH@REVISION, or either + an adapter of the same form."
            self.fault(node, path, f"got {text!r}. {message}")
        return reference

    def _part(self, node: Node, path: str) -> tuple[str | None, str | None] | None:
        if isinstance(node.value, str):
            spelled = self._spelled(node, path, node.value)
            return None if spelled is None else (spelled.path, spelled.revision)
        nodes = self.mapping(node, path, ("path", "revision"), ("path",))
        name, revision = self.text(nodes, "path", path), self.text(nodes, "revision", path)
        return None if name is None else (name, revision)

    def value(self, node: Node, path: str, term: Term) -> Value | None:
        """Return what a parameter is given: one value, or a list of values with filters."""
        if isinstance(node.value, dict):
            message = "a value with a filter stands in a list. Put - before it."
            self.fault(node, path, message)
            return None
        listed = node.value if isinstance(node.value, list) else None
        if listed and all(isinstance(item.value, dict) for item in listed):
            entries = [
                self._filtered(item, f"{path}[{index}]", term) for index, item in enumerate(listed)
            ]
            legal = tuple(entry for entry in entries if entry is not None)
            return legal if len(legal) == len(entries) else None
        entry = self._entry(node, path, term)
        return None if entry is None else (entry,)

    def _filtered(self, node: Node, path: str, term: Term) -> Entry | None:
        nodes = self.mapping(node, path, ("value", "filter"), ("value",))
        name = self.text(nodes, "filter", path)
        if "value" not in nodes:
            return None
        entry = self._entry(nodes["value"], f"{path}.value", term)
        return (
            None if entry is None else replace(entry, filter=None if name in ("*", "") else name)
        )

    def _entry(self, node: Node, path: str, term: Term) -> Entry | None:
        """Return one value: a name where the term has choices, else a number or a gradient."""
        if term.choices:
            choice = self._name(node, path, term.choices)
            return None if choice is None else Entry((), choice=choice, where=self.at(node, path))
        anchors = self._anchors(node, path, is_switch=term.is_switch)
        return None if anchors is None else Entry(anchors, where=self.at(node, path))

    def _anchors(self, node: Node, path: str, *, is_switch: bool) -> tuple[float, ...] | None:
        listed = node.value if isinstance(node.value, list) else [node]
        if not listed:
            self.fault(node, path, "an empty list. Give at least one number.")
            return None
        numbers = [self._number(item, path, is_switch=is_switch) for item in listed]
        legal = tuple(number for number in numbers if number is not None)
        return legal if len(legal) == len(numbers) else None

    def _number(self, node: Node, path: str, *, is_switch: bool) -> float | None:
        value = node.value
        legal = "true or false" if is_switch else "a number"
        if isinstance(value, bool) != is_switch and not (is_switch and value in (0, 1)):
            self.fault(node, path, f"got {shown(node)}. Give {legal}.")
        elif not isinstance(value, int | float) or not math.isfinite(value):
            quotes = " without quotes" if isinstance(value, str) else ""
            self.fault(node, path, f"got {shown(node)}. Give {legal}{quotes}.")
        else:
            return float(value)
        return None


def shown(node: Node) -> str:
    """Return a value as a message shows it."""
    if isinstance(node.value, dict):
        return "a mapping"
    return "a list" if isinstance(node.value, list) else f"{node.value!r:.{MAX_SHOWN}}"


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
