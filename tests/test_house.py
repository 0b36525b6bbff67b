"""The house rules that a count can hold: names are told apart, files are short, folders small."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = [p for room in ("germline", "flows", "stages") for p in (ROOT / room).rglob("*.py")]
# One algorithm, or one command, in each file: these may hold more.
CATALOGUES = {"methods", "estimators", "arithmetic", "strategies", "mergekit", "operations", "cli"}
SHARED_NAMES = {"__init__.py", "__main__.py", "stage.py"}
FOLDERS = ("germline", "flows", "stages", "tools", "zoo", "examples")
CODE = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*.py"))]
PROSE = [
    *sorted((ROOT / "tests").rglob("*.py")),
    *(p for kind in ("*.md", "*.yaml", "Makefile") for p in sorted(ROOT.glob(kind))),
    *(p for folder in ("docs", *FOLDERS) for p in sorted((ROOT / folder).rglob("*.md"))),
    *sorted(ROOT.glob("stages/**/*.j2")),
]
VAGUE_NAMES = {"chosen", "found", "held", "made", "place", "theirs", "told"}
# "there is no file" and "no longer" are plain; "is no file" is not.
STILTED = re.compile(
    r"\b(?:[Mm]end(?:s|ed|ing)?|[Aa]new|[Bb]eside)\b"
    r"|(?<!here )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b)"
)


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
        for path in CODE
        if (
            names := VAGUE_NAMES.intersection(
                bound_names(ast.parse(path.read_text(encoding="utf-8")))
            )
        )
    }
    assert vague == {}


def test_no_sentence_is_stilted() -> None:
    """Comments, docstrings, messages and pages say fix, again, next to, and is not a."""
    stilted = {
        f"{path.relative_to(ROOT).as_posix()}:{number}": line.strip()
        for path in [*CODE, *PROSE]
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if STILTED.search(line)
    }
    assert stilted == {}


def test_click_is_the_only_library_for_command_lines() -> None:
    """Every command, of the package, the zoo, the examples and the studies, is click's."""
    imports = re.compile(r"^\s*(?:import|from) (?:argparse|optparse|getopt|typer)\b", re.MULTILINE)
    files = [*CODE, *sorted((ROOT / "tests").rglob("*.py"))]
    assert [p.name for p in files if imports.search(p.read_text(encoding="utf-8"))] == []
