"""The docs keep their promises: what they name exists, and their words are plain."""

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from dvc.cli import DvcParserError
from dvc.cli.parser import get_main_parser

from flows.cli.main import main
from flows.pipeline.search.search_checks import space_on
from stages.checkpoint.reader import Checkpoint
from stages.params.load import load_params
from tests.bench.study_strategies import names, numbers
from tests.documented_commands import refusal

ROOT = Path(__file__).parents[1]
# Pages of what was: files that they name have moved since.
HISTORY = {"docs/log.md", "CHANGELOG.md"}
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *ROOT.glob("*.md"),
        *(
            p
            for folder in ("docs", "germline", "flows", "stages")
            for p in ROOT.glob(f"{folder}/**/*.md")
        ),
        *ROOT.glob("zoo/*.md"),
        *ROOT.glob("examples/*/*.md"),
    )
)
CURRENT = [page for page in PAGES if page not in HISTORY]
# Files that a reader makes, or that a folder of models holds.
READERS_OWN = {"my_methods/fade.py", "my_method.py", "data/tasks/mine.py", "FILE.py"}
CODE_FOLDERS = ("docs", "examples", "flows", "germline", "stages", "tests", "tools", "zoo")
FORBIDDEN_FILES = {"utils.py", "common.py", "helpers.py"}  # CONTRIBUTING.md names them as such


def text_of(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def anchors_of(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def broken_links(page: str) -> Iterator[str]:
    """Give the links of a page that lead to no file or heading of the project."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        name, _, anchor = unquote(target).partition("#")
        if "://" in name or name.startswith("mailto:"):
            continue
        path = (ROOT / page).parent / name if name else ROOT / page
        if not path.exists() or (anchor and anchor not in anchors_of(path)):
            yield target


@cache
def file_names() -> frozenset[str]:
    """Return the names of all files of the project's own folders."""
    return frozenset(p.name for folder in CODE_FOLDERS for p in (ROOT / folder).rglob("*"))


def missing_files(page: str) -> Iterator[str]:
    """Give the files and folders of code that a page names and that are not there."""
    words = re.findall(r"[\w./{*@-]+", text_of(page))
    for name in {word.rstrip(".") for word in words if word.rstrip(".").endswith((".py", ".j2"))}:
        if name in READERS_OWN | FORBIDDEN_FILES or re.search(r"[{*@]", name):
            continue
        near = ((ROOT / page).parent / name, ROOT / name)
        if not any(p.exists() for p in near) and ("/" in name or name not in file_names()):
            yield name
    folders = "|".join(CODE_FOLDERS)
    for name in re.findall(rf"(?<![\w/.])(?:{folders})/[\w./-]*\w", text_of(page)):
        if not (ROOT / name).exists():
            yield name


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_somewhere(page: str) -> None:
    """Each relative link is a file of the project, and its anchor a heading there."""
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", CURRENT)
def test_files_that_a_page_names_exist(page: str) -> None:
    """Each Python file, template and code folder that a page names is there."""
    assert list(missing_files(page)) == []


def commands_of(page: str, program: str) -> Iterator[list[str]]:
    """Give the words of each command line of ``program`` that a page prints."""
    text = text_of(page)
    lines = re.findall(rf"^ {{4,}}({program} [^\n]*)$", text, re.MULTILINE)
    lines += re.findall(rf"`({program} [^`\n]*)`", text)
    for part in (part for line in lines for part in re.split(r"&&|;|\s#\s.*$|\s#\s", line)):
        words = shlex.split(part)
        if words and words[0] == program:
            yield words[1:]


def every_command(program: str) -> list[tuple[str, list[str]]]:
    """Return the command lines of ``program`` in all pages, each with its page."""
    return [(page, words) for page in CURRENT for words in commands_of(page, program)]


def test_germline_takes_what_the_docs_print() -> None:
    """Each `germline` command, in blocks or in sentences, is one with such options."""
    printed = every_command("germline")
    refused = [(page, words, refusal(main, words, is_whole=False)) for page, words in printed]

    assert len(printed) > 5
    assert [line for line in refused if line[2]] == []


def test_make_has_the_targets_that_the_docs_print() -> None:
    """Each `make` command line of the docs names targets of the Makefile."""
    targets = set(re.findall(r"^([a-z][\w-]*):", text_of("Makefile"), re.MULTILINE))
    printed = every_command("make")

    assert len(printed) > 5
    assert [c for c in printed if not {w for w in c[1] if "=" not in w} <= targets] == []


def refused_by_dvc(words: list[str]) -> bool:
    """Tell whether DVC's own parser refuses a command line."""
    try:
        get_main_parser().parse_args(words)
    except DvcParserError:
        return True
    return False


def test_dvc_takes_the_command_lines_that_the_docs_print() -> None:
    """Each `dvc` command line of the docs is one that DVC's own parser takes."""
    printed = every_command("dvc")

    assert len(printed) > 5
    assert [command for command in printed if refused_by_dvc(command[1])] == []


def test_modules_that_the_docs_run_exist() -> None:
    """Each module that a page runs by `python -m` is one of the project."""
    modules = {m for page in CURRENT for m in re.findall(r"python -m ([\w.]+)", text_of(page))}
    paths = [ROOT.joinpath(*module.split(".")) for module in sorted(modules)]

    assert modules
    assert [str(p) for p in paths if not (p.is_dir() or p.with_suffix(".py").is_file())] == []


def test_messages_of_the_troubleshooting_page_exist() -> None:
    """Each message that the page explains is a part of one in the code."""
    cells = re.findall(r"^\| (`.*?) \|", text_of("docs/troubleshooting.md"), re.MULTILINE)
    quoted = {part for cell in cells for part in re.findall(r"`([^`]+)`", cell)}
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("flows", "stages")
        for path in (ROOT / folder).rglob("*.py")
    )

    assert len(quoted) > 10
    assert sorted(q for q in quoted if not q.startswith("dvc ") and q not in code) == []


def test_tests_that_a_page_names_exist() -> None:
    """Each test that the docs give as evidence is one of the suite."""
    named = {n for page in CURRENT for n in re.findall(r"`(test_\w+)`", text_of(page))}
    suite = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py"))

    assert named
    assert sorted(name for name in named if f"def {name}(" not in suite) == []


def has_key(params: Any, key: str) -> bool:
    """Tell whether nested mappings have a dotted key."""
    for part in key.split("."):
        if not isinstance(params, dict) or part not in params:
            return False
        params = params[part]
    return True


def test_whole_params_yaml_of_the_guide_is_valid(tmp_path: Path) -> None:
    """The params.yaml that the guide prints loads, and has all keys that dvc.yaml names."""
    (text,) = re.findall(r"(?ms)^```yaml\n(download:.*?)^```", text_of("docs/guide.md"))
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    stages = yaml.safe_load(text_of("dvc.yaml"))["stages"].values()
    named = {key for stage in stages for key in stage["params"]}

    assert list(load_params(path).download.parents) == ["code", "spanish", "chat"]
    assert [key for key in sorted(named) if not has_key(yaml.safe_load(text), key)] == []


def test_no_word_of_the_glossary_occurs_twice() -> None:
    """A word with two meanings says in brackets or after a comma which one is meant."""
    words = re.findall(r"(?m)^\| (.+?) \|", text_of("docs/glossary.md"))

    assert sorted({word for word in words if words.count(word) > 1}) == []


def test_security_page_names_tests_that_are_there() -> None:
    """Each protection that the page promises is shown by a test, and each row names one."""
    rows = [r for r in text_of("docs/security.md").splitlines() if r.startswith("| ")][1:]
    sources = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py"))
    for row in rows:
        named = re.findall(r"`(test_\w+(?:\.py)?)`", row.split("|")[-2])
        assert named, row
        for name in named:
            assert name in file_names() or f"def {name}(" in sources, name


def test_champion_of_the_tutorial_is_that_of_the_bundled_run() -> None:
    """The figures that the tutorial shows are those of the run that is in git."""
    metrics = json.loads(text_of("reports/metrics.json"))
    lead, error = metrics["lead"], metrics["lead_error"]

    assert f"{lead:.3f} ± {error:.3f}" in text_of("docs/tutorial.md")


def test_every_page_is_in_the_menu_of_the_site_once() -> None:
    """The lists of docs/index.md name each page of docs, and no other."""
    blocks = re.findall(r"(?ms)^```\{toctree\}\n(.*?)^```", text_of("docs/index.md"))
    listed = [line for block in blocks for line in block.splitlines() if not line.startswith(":")]
    pages = [path.stem for path in ROOT.glob("docs/*.md") if path.stem != "index"]

    assert sorted(pages) == sorted(listed)


def searched(params_file: str, base: str) -> list[str]:
    """Return the genes of a params.yaml that have more than one value."""
    space = space_on(load_params(ROOT / params_file), Checkpoint(ROOT / "data/zoo" / base))
    return [gene.name for gene in space.genes if gene.low < gene.high]


def test_sizes_of_the_spaces_that_were_studied_are_those_of_the_studies() -> None:
    """Blocks of layers are not all: what lies outside of them has genes of its own."""
    both = [gene for gene in searched("params.yaml", "deep-base") if ".weight." in gene]
    alone = searched("tests/flows/six_layers.yaml", "base")
    text = " ".join(text_of("docs/search.md").split())
    for said in (
        f"a genome is {len(numbers().genes)} weights and densities",
        f"it is {len(names().genes)} choices among four models",
        f"in a space of {len(alone)} numbers",
        f"the space of the bundled run ({len(both)} weights",
    ):
        assert said in text
