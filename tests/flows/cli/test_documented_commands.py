"""Every `germline` command line of the docs is one that the command takes; cheap ones are run."""

import pytest

from flows.cli.main import main
from tests.documented_commands import command_lines, console_blocks, pages, refusal
from tests.flows.conftest import Maker

PRINTED = [
    (page.name, tuple(words))
    for page in pages()
    for words in command_lines(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("page", "words"), PRINTED, ids=lambda value: " ".join(value)[:60])
def test_click_takes_every_command_line_of_the_docs(page: str, words: tuple[str, ...]) -> None:
    """Command, options, their values and the number of arguments are legal."""
    assert refusal(main, list(words)) == "", page


def test_a_command_line_that_is_not_legal_is_seen() -> None:
    """A slip in a command, an option, a value or the arguments is a refusal, in any block."""
    text = (
        "    germline merge merge.yml out --seed 1   # indented\n\n"
        "```console\n$ germline mereg a b\nwhat it prints\n$ germline merge a b --sed 1\n"
        "$ germline merge a \\\n    b --seed x && germline merge a\n```\n"
    )
    refusals = [refusal(main, words) for words in command_lines(text)]

    assert refusals[0] == ""
    assert all(refusals[1:])
    assert len(refusals) == 5


def test_blocks_that_are_run_are_marked() -> None:
    """The mark counts for the block that it stands before, and for no other."""
    text = "```console\n$ a\n```\n<!-- run by a test -->\n```console\n$ b\nsaid\n```\n"

    assert list(console_blocks(text)) == [(False, ["a"]), (True, ["b"])]


@pytest.mark.slow
def test_marked_command_lines_run(copy_repeated: Maker) -> None:
    """In a small project that was run before, each ends with 0, in the order of the page."""
    for page in pages():
        blocks = list(console_blocks(page.read_text(encoding="utf-8")))
        if not any(is_run for is_run, _ in blocks):
            continue
        project = copy_repeated(page.stem)
        text = "\n".join(f"    {line}" for is_run, typed in blocks if is_run for line in typed)
        for words in command_lines(text):
            project.germline(*words)
