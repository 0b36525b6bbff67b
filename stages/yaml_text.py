"""YAML to plain data that knows its lines, in one way for every file.

Legal is what JSON could say, and aliases: no tags, no key twice, and no number that YAML 1.1 reads
otherwise than people do (010 is 8 there, and 1:30 is 90).
"""

import re
from dataclasses import dataclass

import yaml

MAX_CHARACTERS = 500_000  # PyYAML reads as many in four seconds
MAX_NODES = 100_000  # aliases can make a short text stand for any number of nodes
MAX_DEPTH = 30
MAX_DIGITS = 40
# YAML 1.1 takes 1e-5, without a dot, and -.5 for texts; everyone who writes them means numbers.
_FLOAT = re.compile(
    r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?)"
)
_OTHERWISE = re.compile(r"[-+]?(0[0-9_]+|[0-9][0-9_]*:[0-9:._]*)")
_TAG = "tag:yaml.org,2002:"
_NUMBERS = (f"{_TAG}int", f"{_TAG}float")

Scalar = str | int | float | bool | None
Pairs = dict[str, tuple[yaml.Node, yaml.Node]]


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


def documents_in(text: str) -> list[Node]:
    """Return the documents of a YAML text; empty ones are left out.

    Raises:
        ValueError: it is not YAML, holds a key twice, or something that is not plain data; the
            message begins with the line.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"line 1: more than {MAX_CHARACTERS} characters. Split the file")
    documents = []
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_node():
            tree = loader.get_node()
            node = _Walk(loader).node(tree) if tree is not None else None
            if node is not None and node.value is not None:
                documents.append(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(
            f"line {line}: not YAML: {error.problem}{_shown(text, line)}. Check quotes and "
            "indentation"
        ) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ValueError(f"line {line}: the character U+{_code(error):04X} is not YAML") from error
    except (RecursionError, ValueError, yaml.YAMLError) as error:
        if str(error).startswith("line "):
            raise
        depth = f"more than {MAX_DEPTH} levels"
        reason = depth if isinstance(error, RecursionError) else f"not YAML: {error}"
        raise ValueError(f"line 1: {reason}") from error
    return documents


def document_in(text: str) -> Node | None:
    """Return the one document of a YAML text; None where there is none.

    Raises:
        ValueError: as ``documents_in``, or there are several.
    """
    documents = documents_in(text)
    if len(documents) > 1:
        line = documents[1].line
        raise ValueError(f"line {line}: a second document begins. Keep one, and remove the ---")
    return documents[0] if documents else None


def _shown(text: str, line: int) -> str:
    lines = text.splitlines()
    return f", in {lines[line - 1].strip()!r:.80}" if line <= len(lines) else ""


def _code(error: yaml.reader.ReaderError) -> int:
    character = error.character
    return ord(character) if isinstance(character, str) else int(character)


class _Walk:
    """Turns one document's tree into nodes, and counts them."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._count = 0
        self._pairs_of: dict[int, Pairs] = {}

    def node(self, tree: yaml.Node, depth: int = 0) -> Node:
        self._count += 1
        line = tree.start_mark.line + 1
        if self._count > MAX_NODES or depth > MAX_DEPTH:
            raise ValueError(
                f"line {line}: more than {MAX_NODES} values, or {MAX_DEPTH} levels. Write the "
                "aliases out"
            )
        if isinstance(tree, yaml.MappingNode):
            self._check_tag(tree, "map")
            pairs = self._pairs(tree, depth)
            items = {
                name: Node(self.node(value, depth + 1).value, key.start_mark.line + 1)
                for name, (key, value) in pairs.items()
            }
            return Node(items, line)
        if isinstance(tree, yaml.SequenceNode):
            self._check_tag(tree, "seq")
            return Node([self.node(item, depth + 1) for item in tree.value], line)
        return Node(self._scalar(tree, line), line)

    def _check_tag(self, tree: yaml.Node, kind: str) -> None:
        if tree.tag != _TAG + kind:
            raise _tagged(tree)

    def _pairs(self, tree: yaml.Node, depth: int) -> Pairs:
        """Return a mapping's keys and values, with what ``<<`` brings in; its own keys win."""
        if id(tree) in self._pairs_of:  # an alias leads here more than once
            return self._pairs_of[id(tree)]
        line = tree.start_mark.line + 1
        if not isinstance(tree, yaml.MappingNode) or depth > MAX_DEPTH:
            problem = f"<< holds no mapping, or more than {MAX_DEPTH} levels"
            raise ValueError(f"line {line}: {problem}. Write the keys out")
        merged: Pairs = {}
        own: Pairs = {}
        for key, value in tree.value:
            if key.tag == f"{_TAG}merge":
                inner = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for mapping in reversed(inner):
                    merged |= self._pairs(mapping, depth + 1)
            else:
                self._add(own, key, value)
        self._pairs_of[id(tree)] = merged | own
        return merged | own

    def _add(self, own: Pairs, key: yaml.Node, value: yaml.Node) -> None:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            problem = "a key is not a word. Keys are words"
            raise ValueError(f"line {line}: {problem}")  # noqa: TRY004  the text is wrong
        name = str(key.value)
        if name in own:
            first = own[name][0].start_mark.line + 1
            problem = f"{name} is given twice, first on line {first}. Keep one"
            raise ValueError(f"line {line}: {problem}")
        own[name] = (key, value)

    def _scalar(self, tree: yaml.Node, line: int) -> Scalar:
        text = str(tree.value)
        is_plain = isinstance(tree, yaml.ScalarNode) and tree.style is None
        if tree.tag in (f"{_TAG}str", f"{_TAG}timestamp"):
            if any("\ud800" <= letter <= "\udfff" for letter in text):
                raise ValueError(f"line {line}: an escape is half of a character. Remove it")
            if any(letter < " " and letter not in "\t\n\r" for letter in text):
                raise ValueError(f"line {line}: a control character. Remove its escape")
            is_number = is_plain and tree.tag == f"{_TAG}str" and _FLOAT.fullmatch(text)
            return _fraction(text, float(text), line) if is_number else text
        if not is_plain:
            raise _tagged(tree)
        if tree.tag == f"{_TAG}null":
            return None
        if tree.tag == f"{_TAG}bool":
            return bool(self._loader.construct_object(tree))
        if tree.tag in _NUMBERS:
            return self._number(tree, text, line)
        raise _tagged(tree)

    def _number(self, tree: yaml.Node, text: str, line: int) -> int | float:
        if _OTHERWISE.fullmatch(text):
            raise ValueError(
                f"line {line}: YAML reads {text:.40} as another number, or as hours and minutes. "
                "Write the number plainly, or quote it if it is text"
            )
        if len(text) > MAX_DIGITS and tree.tag == f"{_TAG}int":
            raise ValueError(f"line {line}: a number of {len(text)} digits; the most are 40")
        try:
            number = self._loader.construct_object(tree)
        except ValueError as error:
            reason = f"{text:.40}: {error}. Quote it if it is text"
            raise ValueError(f"line {line}: {reason}") from error
        return number if isinstance(number, int) else _fraction(text, float(number), line)


def _fraction(text: str, number: float, line: int) -> float:
    if number == 0 and re.search("[1-9]", text.lower().partition("e")[0]):
        raise ValueError(f"line {line}: {text:.40} is too close to 0 for a number. Give 0")
    return number


def _tagged(tree: yaml.Node) -> ValueError:
    line = tree.start_mark.line + 1
    tag = str(tree.tag).replace(_TAG, "!!")
    return ValueError(f"line {line}: the tag {tag} is not plain data. Remove it")
