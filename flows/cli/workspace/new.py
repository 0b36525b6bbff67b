"""``germline new``: a project of one's own, by a short dialogue or by flags."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flows.workspace.budget import Budget

_QUESTIONS = {".csv", ".tsv", ".json", ".jsonl", ".parquet"}
_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(m|min|h)")


@click.command("new", short_help="Make a project of your own, by a dialogue or by flags.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--base", metavar="SOURCE", help="The model that every parent was fine-tuned from.")
@click.option(
    "--parent",
    "parents",
    multiple=True,
    metavar="NAME=SOURCE",
    help="A fine-tune that takes part in merges; give it once for each.",
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    help="A file of questions (CSV, TSV, JSON lines, JSON, Parquet) with columns such as prompt "
    "and answer, which is copied, or the name of a task of lm-eval; may be given again.  "
    "[default: an example]",
)
@click.option(
    "--budget",
    metavar="N",
    help="Candidates to try, or a time of this machine such as 30m or 4h.  [default: 144]",
)
@click.option("--zoo", is_flag=True, help="The project of the bundled small models and tasks.")
@click.option("--yes", is_flag=True, help="Ask nothing; take the defaults of what is not given.")
def new_command(  # one parameter for each option
    folder: Path,
    base: str | None,
    parents: tuple[str, ...],
    tasks: tuple[str, ...],
    budget: str | None,
    zoo: bool,
    yes: bool,
) -> None:
    """Make the project DIR: params.yaml, dvc.yaml, tasks, git and DVC.

    What is not given is asked for at a terminal. SOURCE is a folder, ORG/NAME or
    ORG/NAME@REVISION of the Hugging Face hub, zoo:NAME, or one of these + a LoRA adapter. The
    models are looked at by their small files, params.yaml is written for what they share, and
    checked.

    \b
    Example:
      germline new first --zoo
      germline new mine --base ./base --parent math=./math --parent code=./code --task sums.csv
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    asks = sys.stdin.isatty() and not yes and not zoo
    if zoo and (base or parents or tasks or budget):
        raise click.UsageError("--zoo is a whole project: give neither models, tasks nor a budget")
    from flows.prefect_runtime.console import say, telling

    def begin() -> None:
        from flows.workspace.new_workspace import check_free

        check_free(folder)  # before anybody answers questions

    telling(begin)
    if asks:
        base = base or click.prompt(
            "Base model (a folder, ORG/NAME of the hub, or zoo:NAME)", value_proc=_checked_source
        )
        parents = parents or _asked_parents()
        tasks = tasks or _asked_tasks()
        budget = budget or click.prompt(
            "Candidates to try, or a time such as 30m", default="144", value_proc=_checked_budget
        )
    if not zoo and (base is None or not parents):
        raise click.UsageError("give --base and at least one --parent NAME=SOURCE, or --zoo")
    pairs = tuple(_named(text) for text in parents)
    amount = _budget(budget)

    def work() -> None:
        say(f"making {folder}")
        from flows.workspace.new_workspace import NewWorkspace, make_workspace

        make_workspace(NewWorkspace(folder, base or "", pairs, tasks, amount, zoo), say)
        say(f"{folder} is ready: cd {folder} && dvc repro     (or: germline run)")

    telling(work, stopped=f"{folder} was not made")


def _asked_parents() -> tuple[str, ...]:
    given: list[str] = []

    def checked(text: str) -> str:
        if not text.strip() and given:
            return ""
        name, source = _named(text)
        if name in {_named(one)[0] for one in given}:
            raise click.BadParameter(f"{name!r} is given already; write OTHER={source}")
        _checked_source(source)
        return text

    while True:
        text = click.prompt(
            f"Parent {len(given) + 1}, as NAME=SOURCE" + (" (nothing: no more)" if given else ""),
            default="" if given else None,
            show_default=False,
            value_proc=checked,
        )
        if not text:
            return tuple(given)
        given.append(text)


def _asked_tasks() -> tuple[str, ...]:
    names: tuple[str, ...] = click.prompt(
        "Files of questions or lm-eval tasks, with commas between (nothing: an example)",
        default="",
        show_default=False,
        value_proc=_checked_tasks,
    )
    return names


def _checked_tasks(text: str) -> tuple[str, ...]:
    """Return the names in ``text``; a name that can only be a file's must be one."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in names:
        if Path(name).suffix.lower() in _QUESTIONS and not Path(name).is_file():
            raise click.BadParameter(f"{name}: no such file")
    return names


def _checked_source(text: str) -> str:
    """Return the source ``text`` of a model; one that can only be a folder must be there."""
    from flows.workspace.typed_source import source_fault

    fault = source_fault(text)
    if fault is not None:
        raise click.BadParameter(f"{text}: {fault}")
    return text


def _checked_budget(text: str) -> str:
    """Return the budget ``text`` if it is one."""
    _budget(text)
    return text


def _named(text: str) -> tuple[str, str]:
    """Return the name and the source of a parent; without a name it has that of its folder."""
    name, equals, source = text.partition("=")
    if not equals:
        name, source = (
            Path(
                text.split("@", maxsplit=1)[0].split("+", maxsplit=1)[0].removeprefix("zoo:")
            ).name,
            text,
        )
    if not name or not source:
        raise click.BadParameter("write NAME=SOURCE", param_hint="--parent")
    return name, source


def _budget(text: str | None) -> "Budget":
    from flows.workspace.budget import Budget

    if text is None:
        return Budget()
    if text.isdecimal() and int(text):
        return Budget(candidates=int(text))
    match = _TIME.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise click.BadParameter(
            f"{text!r}: write a number of candidates, or a time such as 30m or 4h",
            param_hint="--budget",
        )
    return Budget(minutes=float(match[1]) * (60 if match[2] == "h" else 1))
