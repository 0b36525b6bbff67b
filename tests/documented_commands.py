"""The command lines of germline that the docs print, and what click says of them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
_FENCED = re.compile(r"(?ms)^(?P<mark><!-- run by a test -->\n)?```(?:console|bash|sh)\n(.*?)^```")


def pages() -> list[Path]:
    """Return the pages that users read."""
    return [
        *sorted(ROOT.glob("docs/*.md")),
        ROOT / "README.md",
        *sorted(ROOT.glob("examples/*/*.md")),
    ]


def console_blocks(text: str) -> Iterator[tuple[bool, list[str]]]:
    """Give each fenced block's command lines, and whether a test is to run them."""
    for match in _FENCED.finditer(text):
        lines = match[2].replace("\\\n", " ").splitlines()
        typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        yield match["mark"] is not None, typed


def command_lines(text: str) -> Iterator[list[str]]:
    """Give the words of each whole `germline` command line: of blocks, fenced or indented."""
    lines = re.findall(r"(?m)^ {4,}(germline [^\n]*)$", text)
    lines += [line for _, typed in console_blocks(text) for line in typed]
    for line in lines:
        for words in _commands_in(line):
            if words[:1] == ["germline"]:
                yield words[1:]


def _commands_in(line: str) -> Iterator[list[str]]:
    """Give the words of each command of a shell's line; a comment ends it."""
    tokens = shlex.shlex(line, posix=True, punctuation_chars=True)
    tokens.whitespace_split = True
    words: list[str] = []
    for token in tokens:
        if set(token) <= set("&|;<>"):
            yield words
            words = []
        else:
            words.append(token)
    yield words


def refusal(group: click.Group, words: list[str], *, is_whole: bool = True) -> str:
    """Return why click does not take a command line; nothing where it does.

    Within a sentence a command is often named without its arguments: it is not whole.
    """
    command: click.Command | None = group
    rest = words
    try:
        while isinstance(command, click.Group):
            if {"--help", "--version"} & set(rest[:1]):
                return ""
            _, command, rest = command.resolve_command(click.Context(command), rest)
        if command is None:
            return f"{words[0]}: no such command"
        if "--help" not in rest:
            command.make_context(command.name, list(rest))
    except (click.MissingParameter, click.BadOptionUsage) as error:  # or an option without value
        return error.format_message() if is_whole else ""
    except click.UsageError as error:
        return error.format_message()
    return ""
