"""A project of one's own, whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.workspace.budget import Budget
from flows.workspace.bundled_files import bundled
from flows.workspace.fitting_params import FittingParams, fitting_params, named_tasks
from flows.workspace.repository import check_tools, start_repository, take_out_of_git
from flows.workspace.survey.known_columns import known_columns
from flows.workspace.survey.parent_survey import Survey, survey
from flows.workspace.survey.question_survey import SurveyedTask, survey_tasks
from flows.workspace.survey.run_size import size_of
from flows.workspace.typed_source import is_of_hub, source_fault
from flows.workspace.versions_file import write_versions
from flows.workspace.workspace_files import (
    DVCIGNORE,
    EXAMPLE,
    GITIGNORE,
    SOURCES_README,
    example_text,
    pipeline_text,
    readme_text,
)
from stages.errors import Faults, ParamsError, at
from stages.files import text_of, write_whole
from stages.params.download_params import DownloadParams
from stages.params.load import load_params, validated
from stages.params.task_params import DATA_FORMATS

_ZOO = "zoo:"
_TASKS = Path("data/tasks")


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """What a person answered: sources and files as they were typed, from the working directory.

    With ``zoo`` the project is that of the bundled zoo, and nothing else is answered. Without
    ``tasks`` the project has a file of easy questions as an example.
    """

    folder: Path
    base: str = ""
    parents: tuple[tuple[str, str], ...] = ()
    tasks: tuple[str, ...] = ()
    budget: Budget = field(default_factory=Budget)
    zoo: bool = False


def make_workspace(wanted: NewWorkspace, say: Callable[[str], None]) -> FittingParams:
    """Make the folder of ``wanted``, a DVC project whose params pass the check.

    Raises:
        GermlineError: the folder is in use, a model or a file of questions does not fit, or git or
            DVC cannot start there. Nothing is left behind.
    """
    check_free(wanted.folder)
    check_tools()
    answers = _answers(wanted)
    for text in dict.fromkeys((wanted.base, *(source for _, source in wanted.parents))):
        if text and is_of_hub(text):
            say(f"{text}: there is no such folder here; it is looked for on the hub")
    with whole_folder(wanted.folder):
        fitting = _filled(answers, say)
        say("checking params.yaml")
        from flows.pipeline.preflight import check  # loads lm-eval, which takes seconds

        check(fitting.params, fetches=True)
        for note in start_repository(Path.cwd()):
            say(f"note: {note}")
        return fitting


def check_free(folder: Path) -> None:
    """Check that a project can be made at ``folder``: nothing is there, or an empty folder.

    Raises:
        ParamsError: something is there, or the name is not text.
    """
    if os.fsencode(folder) != str(folder).encode("utf-8", "replace"):  # bytes that are not UTF-8
        raise ParamsError(
            f"{folder}: the name is not UTF-8 text, as the project's files are. Give another name."
        )
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise ParamsError(f"{folder}: exists and is not a folder. Give another name.")
    inside = sorted(path.name for path in folder.iterdir())
    if "params.yaml" in inside:
        raise ParamsError(
            f"{folder}: holds a project already (params.yaml). Change to it and run `germline "
            "doctor`, or give another name."
        )
    if inside:
        listed = ", ".join(inside[:3]) + (" ..." if len(inside) > 3 else "")
        raise ParamsError(
            f"{folder}: exists and is not empty ({listed}). Give a new folder, or an empty one."
        )


@contextmanager
def whole_folder(folder: Path) -> Iterator[None]:
    """Work in the new ``folder``; where the block fails, all that was put there goes again."""
    was_there = folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    try:
        with contextlib.chdir(root):
            yield
    except BaseException:
        take_out_of_git(root)
        if was_there:
            for path in root.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        else:
            shutil.rmtree(root)
        raise


def _filled(answers: "_Answers", say: Callable[[str], None]) -> FittingParams:
    """Write all files of the project into the working directory."""
    uses_zoo = any(source.startswith(_ZOO) for source in answers.download["parents"].values())
    uses_zoo |= answers.download["base"].startswith(_ZOO)
    title = Path.cwd().name
    for path, text in (
        (Path(".gitignore"), GITIGNORE),
        (Path(".dvcignore"), DVCIGNORE),
        (Path("README.md"), readme_text(title)),
        (Path("dvc.yaml"), pipeline_text(zoo=uses_zoo)),
        (Path("data/sources/README.md"), SOURCES_README),
    ):
        write_whole(path, text)
    write_versions()
    _TASKS.mkdir(parents=True)
    if uses_zoo:
        shutil.copytree(bundled("data/zoo"), "data/zoo")
    for source, target in answers.files:
        shutil.copyfile(source, target)
    if answers.is_zoo:
        shutil.copytree(bundled(str(_TASKS)), _TASKS, dirs_exist_ok=True)
        write_whole(Path("params.yaml"), text_of(bundled("params.yaml")))
        params = load_params()
        models = survey(params.download)
        questions = survey_tasks(params.evaluate.tasks, models.base.folder, models.context)
        fitting = FittingParams("", params, size_of(params, models, questions))
    else:
        if not answers.tasks:
            write_whole(EXAMPLE, example_text())
            say(f"no task was given: {EXAMPLE} is an example of one; replace it by your own")
        tasks = answers.tasks or [{"data": EXAMPLE.as_posix()}]
        say("looking at the models and the questions")
        models = survey(validated(DownloadParams, answers.download, "download"))
        _name_columns(tasks, answers.files, say)
        questions = _questions(tasks, answers.files, models)
        fitting = fitting_params(title, answers.download, models, tasks, questions, answers.budget)
        write_whole(Path("params.yaml"), fitting.text)
    for line in (*models.lines(), *(question.line() for question in questions)):
        say(line)
    for line in fitting.size.lines():
        say(line)
    return fitting


def _name_columns(
    tasks: list[dict[str, Any]], files: list[tuple[Path, Path]], say: Callable[[str], None]
) -> None:
    """Say in ``tasks`` which columns hold prompt and answer, where they have other names."""
    sources = {target.as_posix(): source for source, target in files}
    for task in tasks:
        if task.get("data") not in sources:
            continue
        with at(f"task {sources[task['data']]}"):
            columns = known_columns(task["data"])
        if columns:
            task["columns"] = columns
            named = " and ".join(f"{other} for {name}" for name, other in columns.items())
            say(f"task {Path(task['data']).stem}: took the column {named}")


def _questions(
    tasks: list[dict[str, Any]], files: list[tuple[Path, Path]], models: Survey
) -> list[SurveyedTask]:
    """Look at the tasks; a fault names the file that was given, not its copy alone."""
    typed = {target.as_posix(): source for source, target in files}
    questions: list[SurveyedTask] = []
    for task in named_tasks(tasks):
        with at(f"task {typed.get(task.data or '', task.label)}"):
            questions += survey_tasks([task], models.base.folder, models.context)
    return questions


@dataclass(frozen=True, slots=True)
class _Answers:
    """The answers of a person, with paths that hold in any folder; ``files`` are to be copied."""

    download: dict[str, Any]
    tasks: list[dict[str, Any]]
    files: list[tuple[Path, Path]]
    budget: Budget
    is_zoo: bool


def _answers(wanted: NewWorkspace) -> _Answers:
    """Return what was answered, from the working directory.

    Raises:
        ParamsError: a name is given twice, or a file or a folder is missing.
    """
    faults = Faults()
    tasks: list[dict[str, Any]] = []
    files: list[tuple[Path, Path]] = []
    names = [name for name, _ in wanted.parents]
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.add(f"parent {name}: given twice. Give each parent a name of its own.")
    for text in wanted.tasks:
        with faults.at(f"task {text}"):
            if Path(text).suffix not in DATA_FORMATS:
                tasks.append({"task": _task_name(text)})
                continue
            target = _TASKS / Path(text).name
            if not Path(text).is_file():
                faults.add("no such file. Give a file of questions, or the name of a task.")
            elif target in (copy for _, copy in files):
                faults.add("two files have this name. Rename one.")
            files.append((Path(text).absolute(), target))
            tasks.append({"data": target.as_posix()})
    typed = [] if wanted.zoo else [("base", wanted.base)]
    for called, text in [*typed, *((f"parent {name}", text) for name, text in wanted.parents)]:
        fault = source_fault(text)
        if fault is not None:
            faults.add(f"{called}: {text}: {fault}.")
    faults.raise_as(ParamsError)
    zoo = {name: f"{_ZOO}{name}" for name in ("base", "math", "spanish", "order")}
    base = zoo.pop("base") if wanted.zoo else _source(wanted.base)
    parents = zoo if wanted.zoo else {name: _source(text) for name, text in wanted.parents}
    return _Answers({"base": base, "parents": parents}, tasks, files, wanted.budget, wanted.zoo)


def _task_name(text: str) -> str:
    if "/" in text or text.endswith((".yaml", ".yml")):
        raise ParamsError(
            "not a file of questions. Give one of "
            f"{', '.join(DATA_FORMATS)}, or the name of a task of lm-eval. A YAML file of a task "
            "goes into data/tasks of the project afterwards, with evaluate.include_path there."
        )
    return text


def _source(text: str) -> str:
    """Return a source as params.yaml spells it, whatever folder it is read in."""
    return "+".join(_part(part.strip()) for part in text.split("+"))


def _part(part: str) -> str:
    if part.startswith(_ZOO):
        return part
    path = Path(part.removeprefix("local:")).expanduser()
    if part.startswith((".", "/", "~", "local:")) or ("@" not in part and path.is_dir()):
        return str(path.resolve())
    return part if "@" in part else f"{part}@main"
