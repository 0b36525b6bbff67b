"""`germline new`: a project that passes the check, or nothing and the reason."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from flows.workspace.budget import Budget
from flows.workspace.fitting_params import fitting_params
from flows.workspace.new_workspace import whole_folder
from flows.workspace.repository import start_repository
from flows.workspace.survey.parent_survey import Survey, survey
from flows.workspace.survey.question_survey import SurveyedTask, survey_tasks
from flows.workspace.survey.run_size import candidates_in
from stages.params.load import Params, load_params
from tests.flows.workspace.conftest import Typed

MODELS = ("--base", "origin", "--parent", "adder=./adder", "--parent", "sorter")


def test_own_models_and_questions_become_a_project(own_models: Path, typed: Typed) -> None:
    """Params pass the check, fit the files and the context, and DVC watches no sources."""
    said = typed("new", "mine", *MODELS, "--task", "sums.csv", "--budget", "25").output
    project = own_models / "mine"
    params = load_params(project / "params.yaml")
    assert {"adder", "sorter"} == set(params.download.parents)
    assert Path(params.download.base) == own_models / "origin"
    splits = params.evaluate.splits
    assert (10, 10, 20) == (splits.search, splits.validation, splits.test)
    assert (12, 2) == (params.select.population, params.select.generations)
    assert params.evaluate.tasks[0].gen_kwargs["max_gen_toks"] < 64
    assert "64 tokens of context" in said
    assert "share one vocabulary" in said
    pipeline = yaml.safe_load((project / "dvc.yaml").read_text())["stages"]
    deps = {dep for stage in pipeline.values() for dep in stage.get("deps", [])}
    assert {dep.split("/")[0] for dep in deps} == {"data", "versions.json"}
    assert all("versions.json" in s["deps"] for name, s in pipeline.items() if name != "versions")
    written = yaml.safe_load((project / "params.yaml").read_text())
    for key in {key for stage in pipeline.values() for key in stage.get("params", [])}:
        section, _, inner = key.partition(".")
        assert section in written, key
        assert not inner or inner in written[section], key
    assert (project / ".git").is_dir()
    assert (project / ".dvc/config").is_file()
    assert (project / "data/tasks/sums.csv").read_bytes() == Path("sums.csv").read_bytes()
    with Repo(str(project)) as repo:
        for name in (".ipynb_checkpoints/sums.csv", "__pycache__/sums.pyc", "sums.csv~"):
            assert repo.dvcignore.is_ignored_file(str(project / "data/tasks" / name)), name


def test_zoo_becomes_a_project(own_models: Path, typed: Typed) -> None:
    """It has the models, the tasks and the params of the bundled run."""
    typed("new", "zooed", "--zoo")
    root = Path(__file__).parents[3]
    project = own_models / "zooed"
    for name in (
        "params.yaml",
        "data/zoo/math/model.safetensors",
        "data/tasks/english_sorting.yaml",
    ):
        assert (root / name).read_bytes() == (project / name).read_bytes()
    assert "data/zoo" in (project / "dvc.yaml").read_text()


def test_an_example_stands_in_for_a_task(typed: Typed, own_models: Path) -> None:
    """Its questions are as many as the splits ask for."""
    said = typed("new", "mine", *MODELS, "--yes").output
    assert "no task was given: data/tasks/example.csv is an example" in said
    assert (own_models / "mine/data/tasks/example.csv").is_file()


@pytest.mark.usefixtures("own_models")
def test_a_folder_in_use_is_refused(typed: Typed) -> None:
    """A file, a folder with files, and a project are each named, and stay as they are."""
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    Path("project").mkdir()
    Path("project/params.yaml").write_text("")
    for folder, message in (
        ("sums.csv", "exists and is not a folder"),
        ("full", "exists and is not empty (mine.txt)"),
        ("project", "holds a project already"),
        ("odd-\udcff", "the name is not UTF-8 text"),
    ):
        assert message in typed("new", folder, *MODELS, code=1).stderr
    assert "mine" == Path("full/mine.txt").read_text()


@pytest.mark.usefixtures("own_models")
def test_nothing_is_left_of_a_project_that_cannot_be(typed: Typed) -> None:
    """Every fault is one line, and the folder is not there, or as empty as before."""
    config = Path("sorter/config.json")
    config.write_text(config.read_text().replace('"rope_theta"', '"rope_thata"'))
    Path("few.csv").write_text("prompt,answer\n1 + 1 =,2\n")
    Path("odd.csv").write_text("left,right\n1,2\n")
    Path("empty").mkdir()
    for more, message in (
        (["--parent", "gone=./gone"], "parent gone: ./gone: no such folder; models here: adder,"),
        (["--task", "odd.csv"], f"task {Path('odd.csv').absolute()}: data/tasks/odd.csv: its col"),
        (["--task", "few.csv"], "few: holds 1 different questions"),
        (["--task", "sums.csv", "--task", "./gone.csv"], "task ./gone.csv: no such file"),
        (["--task", "english_sortin"], "english_sortin"),
        (["--task", "sums.csv", "--budget", "3"], "At least 4 are needed here"),
    ):
        for folder in ("mine", "empty"):
            said = typed("new", folder, *MODELS[:4], "--parent", "adder2=adder", *more, code=1)
            assert message in said.stderr
            assert "error: " == said.stderr[:7]
    assert not Path("mine").exists()
    assert [] == list(Path("empty").iterdir())


@pytest.mark.parametrize(("budget", "sizes"), [(5, (5, 1)), (30, (10, 3)), (144, (12, 12))])
def test_a_budget_of_candidates_is_spent(
    own_models: Path, budget: int, sizes: tuple[int, int]
) -> None:
    """The size of a generation, 8 to 12, is the one that leaves least of it over."""
    params, models, questions = _surveyed(own_models)
    download, tasks = params.download.model_dump(), [{"data": "sums.csv"}]
    fitting = fitting_params("T", download, models, tasks, questions, Budget(candidates=budget))
    select = fitting.params.select
    assert sizes == (select.population, select.generations)


@pytest.mark.usefixtures("own_models")
def test_without_a_terminal_nothing_is_asked(typed: Typed) -> None:
    """What is missing is named as an option, and wrong amounts are refused."""
    assert "--base" in typed("new", "mine", code=2).stderr
    assert "--zoo is a whole project" in typed("new", "mine", "--zoo", *MODELS, code=2).stderr
    assert "30m" in typed("new", "mine", *MODELS, "--budget", "soon", code=2).stderr
    assert not Path("mine").exists()


def test_a_project_in_another_repository_is_a_part_of_it(own_models: Path, typed: Typed) -> None:
    """It says so, and DVC is at home in the project."""
    subprocess.run(["git", "init", "-q"], check=True)
    said = typed("new", "mine", *MODELS, "--task", "sums.csv").output
    assert f"inside the git repository {own_models}" in said
    assert not (own_models / "mine/.git").exists()
    assert (own_models / "mine/.dvc/config").is_file()


@pytest.mark.parametrize("pattern", ["mine/", "mine/*"])
def test_a_project_that_the_repository_around_ignores_has_its_own(
    own_models: Path, typed: Typed, pattern: str
) -> None:
    """DVC keeps its files in git, which the one around would not."""
    subprocess.run(["git", "init", "-q"], check=True)
    (own_models / ".gitignore").write_text(pattern, encoding="utf-8")
    said = typed("new", "mine", *MODELS, "--task", "sums.csv").output
    assert f"mine is ignored by the git repository {own_models}: it gets one of its own" in said
    assert ".dvc/config" in staged(own_models / "mine")


def test_nothing_is_left_in_the_index_of_the_repository_around(tmp_path: Path) -> None:
    """DVC puts files into git as it starts; a project that cannot be is taken out again."""
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    seen = []

    def stopped() -> None:
        with whole_folder(tmp_path / "mine"):
            start_repository(Path())
            seen.append(staged(tmp_path))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert "mine/.dvc/config" in seen[0]
    assert "" == staged(tmp_path)
    assert not (tmp_path / "mine").exists()


def staged(folder: Path) -> str:
    """Return what git says of a repository."""
    return subprocess.check_output(["git", "status", "--short"], cwd=folder, text=True)


def test_a_time_buys_candidates_in_proportion(own_models: Path) -> None:
    """Twice the minutes are twice the candidates, but for one that is rounded off."""
    params, models, tasks = _surveyed(own_models)
    one, two = (candidates_in(minutes, params, models, tasks) for minutes in (30.0, 60.0))
    assert one > 0
    assert abs(two - 2 * one) <= 1


def test_models_of_other_tokens_are_merged_as_a_union(own_models: Path, typed: Typed) -> None:
    """The rule that fits is set, and said."""
    path = own_models / "sorter/tokenizer.json"
    text = path.read_text()
    shutil.copy(path, own_models / "kept.json")
    path.write_text(text.replace('"seventy"', '"seventee"'))
    assert text != path.read_text()
    said = typed("new", "mine", *MODELS, "--task", "sums.csv").output
    assert "merge.tokenizer is set to union" in said
    assert "union" == load_params(own_models / "mine/params.yaml").merge.tokenizer


def _surveyed(folder: Path) -> tuple[Params, Survey, list[SurveyedTask]]:
    """Return params of the folder's models and questions, and what a look at them says."""
    sections = {
        "download": {"base": "./origin", "parents": {"adder": "./adder"}},
        "evaluate": {"tasks": [{"data": "sums.csv"}]},
    }
    params = Params.model_validate(sections)
    models = survey(params.download)
    return params, models, survey_tasks(params.evaluate.tasks, folder / "origin", models.context)


def test_git_ignores_each_output_that_dvc_keeps_from_the_start(
    own_models: Path, typed: Typed
) -> None:
    """A run that fails half-way leaves no line for git, and `git add .` would take the models."""
    typed("new", "mine", "--base", "origin", "--parent", "adder=adder")
    project = own_models / "mine"
    stages = yaml.safe_load((project / "dvc.yaml").read_text())["stages"].values()
    outs = [out for stage in stages for out in stage.get("outs", []) if isinstance(out, str)]
    assert {"data/parents", "data/champion", "reports/index.html"} < {*outs}
    output = subprocess.run(
        ["git", "check-ignore", *outs, "reports/history.csv", "params.yaml"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outs == output.stdout.splitlines()


def test_columns_of_other_data_sets_are_known_or_the_names_are_said(
    own_models: Path, typed: Typed
) -> None:
    """A file of questions and targets is taken as it is; one that nobody knows is refused."""
    text = Path("sums.csv").read_text(encoding="utf-8")
    head, _, body = text.partition("\n")
    assert "prompt,answer" == head
    Path("other.csv").write_text(f"question,target\n{body}", encoding="utf-8")
    said = typed("new", "mine", *MODELS, "--task", "other.csv", "--budget", "25").output
    assert "took the column question for prompt and target for answer" in said
    (task,) = load_params(own_models / "mine/params.yaml").evaluate.tasks
    assert ("question", "target") == (task.columns.prompt, task.columns.answer)
    for head in ("frage,target", "question,input,answer"):
        width = head.count(",") - 1
        rows = "\n".join("x," * width + line for line in body.splitlines())
        Path("odd.csv").write_text(f"{head}\n{rows}\n", encoding="utf-8")
        said = typed("new", "odd", *MODELS, "--task", "odd.csv", code=1).output
        assert "rename the columns for `germline new`" in said
        assert "prompt: question, instruction," in said
