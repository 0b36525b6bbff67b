"""What goes wrong first: each is one clear line for each fault, exit code 1 or 2, no traceback."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.main import main
from stages.checkpoint.reader import Checkpoint
from tests.flows.typed import merged

ROOT = Path(__file__).parents[2]
GOOD = "merge_method: linear\nmodels: [{model: one}, {model: two}]\nparameters: {weight: 1}\n"
CYCLE = (
    "name: a\nmerge_method: passthrough\nmodels: [{model: b}]\n---\n"
    "name: b\nmerge_method: passthrough\nmodels: [{model: a}]\n"
)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("parameters:", "paramters:"), "line 3: paramters: unknown key."),
        (GOOD.replace("weight", "wieght"), "Did you mean 'weight'?"),
        (GOOD.replace("linear", "liner"), "Did you mean 'linear'?"),
        (GOOD.replace("model: one", "model: ./oen"), "no such folder. Did you mean 'one'?"),
        ("", "holds no document"),
        ("hello", "line 1: got 'hello'. Give a mapping of merge_method"),
        ('{"a": [1,', "line 1: not YAML"),
        (f"{GOOD}---\n{GOOD}", "2 documents have no name"),
        (CYCLE, "a uses b uses a. Documents cannot use themselves."),
    ],
)
def test_a_fault_of_the_file_is_one_line(text: str, message: str) -> None:
    """It says where, what and what to do."""
    said = merged(text, code=1).stderr
    assert 1 == len(said.splitlines())
    assert said.startswith("error: merge.yml")
    assert message in said
    assert not Path("out").exists()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("nothing.yml", "error: nothing.yml: cannot be read: No such file or directory."),
        ("one", "error: one: README.md cannot be read: No such file or directory. Give a recipe"),
        ("one/model.safetensors", "is not UTF-8 text. Give a MergeKit YAML file."),
    ],
)
def test_what_is_not_a_file_of_text_is_one_line(config: str, message: str) -> None:
    """A path that leads nowhere, to a folder, or to weights."""
    result = CliRunner().invoke(main, ["merge", config, "out"])
    assert 1 == result.exit_code
    assert message in result.stderr
    assert 1 == len(result.stderr.splitlines())


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("out", ["merge.yml/out", "x" * 300])
def test_a_place_that_cannot_be_written_is_one_line(out: str) -> None:
    """A folder under a file, and a name that is too long."""
    said = merged(GOOD, out=out, code=1).stderr
    assert f"error: {out}: cannot be written" in said
    assert 1 == len(said.splitlines())


@pytest.mark.usefixtures("here")
def test_a_hub_that_is_not_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says that there is no folder of that name either, and which is near."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    said = merged(GOOD.replace("model: one", "model: onne"), code=1).stderr
    assert "There is no folder onne either. Did you mean 'one'?" in said
    assert 1 == len(said.splitlines())
    said = merged(GOOD.replace("model: one", "model: org/x"), "--offline", code=1).stderr
    assert "Run once without --offline" in said


def test_the_command_alone_explains_itself() -> None:
    """It lists the commands; an unknown one and an unknown option name the nearest."""
    result = CliRunner().invoke(main, [])
    assert 2 == result.exit_code
    assert "merge" in result.output
    for arguments, message in (
        (["mrge"], "'merge'"),
        (["merge", "a", "b", "--sed", "1"], "--seed"),
    ):
        result = CliRunner().invoke(main, arguments)
        assert 2 == result.exit_code
        assert message in result.output


def test_the_readmes_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What README says to type makes a model of the bundled zoo."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"(?s)```yaml\n(.*?)```", text)
    assert re.search(r"germline merge merge\.yml merged\s+#", text)
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GERMLINE_CACHE", str(tmp_path / "cache"))
    merged(example, out="merged")
    assert Checkpoint(Path("merged")).tensors.keys() == (
        Checkpoint(Path("data/zoo/base")).tensors.keys()
    )
