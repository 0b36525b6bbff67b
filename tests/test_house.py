"""The house rules that a count can hold: names are told apart, files are short, folders small."""

import ast
import contextlib
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [p for room in ("germline", "flows", "stages") for p in (ROOT / room).rglob("*.py")]
# One algorithm, or one command, in each file: these may hold more.
CATALOGUES = {"methods", "estimators", "arithmetic", "strategies", "mergekit", "operations", "cli"}
SHARED_NAMES = {"__init__.py", "__main__.py", "stage.py"}
FOLDERS = ("germline", "flows", "stages", "tools", "zoo", "examples")
CODE = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
VAGUE_NAMES = {"chosen", "found", "held", "made", "place", "theirs", "told"}
# "there is no file" and "no longer" are plain; "is no file" is not, neither in a sentence, over
# the end of a line, nor in a name with underscores.
STILTED = re.compile(
    r"(?<![A-Za-z])(?:[Mm]end(?:s|ed|ing)?|[Aa]new|[Bb]eside|in\s+the\s+place\s+of)(?![A-Za-z])"
    r"|(?<!here[ _])(?<![A-Za-z])(?:is|are|was|were)(?:_no_|\s+(?:(?:#|//)\s+)?no\s+)"
    r"(?!longer|more|less)"
)
WORKS_OF_OTHERS = ("requirements.lock", "LICENSE", "data/zoo/")
ITSELF = "tests/test_house.py"


def tracked_texts() -> Iterator[tuple[str, str]]:
    """Give each tracked file of text, by its path: code, pages, notebooks, settings of tools."""
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    for name in listed.strip("\0").split("\0"):
        path = ROOT / name
        if name == ITSELF or name.startswith(WORKS_OF_OTHERS) or not path.is_file():
            continue
        with contextlib.suppress(UnicodeDecodeError):  # a picture
            yield name, path.read_text(encoding="utf-8")


def bound_names(tree: ast.Module) -> Iterator[str]:
    """Yield the name of each variable and parameter that a module binds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def twice(names: list[str]) -> set[str]:
    """Return the names that occur more than once."""
    return {name for name, count in Counter(names).items() if count > 1}


def test_no_class_name_occurs_twice() -> None:
    """A class has a name of its own in the whole house."""
    classes = [
        name
        for path in SOURCES
        for name in re.findall(r"^class (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert twice(classes) == set()


def test_no_file_name_occurs_twice() -> None:
    """Who has read a file's name knows which file it is."""
    assert twice([path.name for path in SOURCES]) - SHARED_NAMES == set()


def test_no_file_is_longer_than_300_lines() -> None:
    """A file that grows is split by meaning."""
    longest = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCES}
    assert {name: lines for name, lines in longest.items() if lines > 300} == {}


def test_no_test_asserts_how_long_something_takes() -> None:
    """What takes long on a busy machine is not wrong; a test that may hang has a time-out."""
    timed = re.compile(r"assert .*\b(?:monotonic|perf_counter|process_time|time)\(\) - ")
    assert [] == [str(path) for path in TESTS if timed.search(path.read_text(encoding="utf-8"))]


def test_no_folder_holds_more_than_ten_modules() -> None:
    """A folder that grows is split into rooms."""
    modules = Counter(path.parent for path in SOURCES if path.name != "__init__.py")
    crowded = {f.relative_to(ROOT).as_posix() for f, count in modules.items() if count > 10}
    assert {folder for folder in crowded if Path(folder).name not in CATALOGUES} == set()


def test_every_room_has_a_readme() -> None:
    """Each room says in at most 15 lines which question it answers."""
    rooms = [
        ROOT / "germline",
        ROOT / "flows",
        *(p for kind in ("stages/*", "flows/*") for p in ROOT.glob(kind) if p.is_dir()),
    ]
    rooms = [room for room in rooms if room.name != "__pycache__"]
    lines = {
        room.relative_to(ROOT).as_posix(): len(
            (room / "README.md").read_text(encoding="utf-8").splitlines()
        )
        if (room / "README.md").is_file()
        else 0
        for room in rooms
    }
    assert {room: count for room, count in lines.items() if not 1 <= count <= 15} == {}


def test_no_variable_has_a_vague_name() -> None:
    """A variable says what it holds, not that it was found, made or chosen."""
    vague = {
        path.relative_to(ROOT).as_posix(): names
        for path in [*CODE, *TESTS]
        if (
            names := VAGUE_NAMES.intersection(
                bound_names(ast.parse(path.read_text(encoding="utf-8")))
            )
        )
    }
    assert vague == {}


def test_no_sentence_is_stilted() -> None:
    """Comments, docstrings, messages, pages and names say fix, again, next to, and is not a."""
    stilted = {
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}": match[0]
        for name, text in tracked_texts()
        for match in STILTED.finditer(text)
    }
    assert stilted == {}


@pytest.mark.parametrize(
    ("text", "is_stilted"),
    [
        *[("test_a_link_is_no_file", True), ("what is no file", True), ("mended", True)],
        *[("it is\n    # no file", True), ("There is no file", False), ("there_is_no_arc", False)],
        *[("is no longer", False), ("besides", False), ("recommended", False), ("_anew", True)],
        *[("in the place of", True), ("in place of", False)],
    ],
)
def test_stilted_sentences_are_told_from_plain_ones(text: str, is_stilted: bool) -> None:
    """The rule sees sentences over two lines and names, and lets plain English pass."""
    assert is_stilted == bool(STILTED.search(text))


def test_click_is_the_only_library_for_command_lines() -> None:
    """Every command, of the package, the zoo, the examples and the studies, is click's."""
    imports = re.compile(r"^\s*(?:import|from) (?:argparse|optparse|getopt|typer)\b", re.MULTILINE)
    assert [p.name for p in [*CODE, *TESTS] if imports.search(p.read_text(encoding="utf-8"))] == []
