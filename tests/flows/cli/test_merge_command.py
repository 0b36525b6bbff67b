"""The germline command, as a person types it."""

import errno
import json
import os
import shutil
import signal
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from transformers import AutoModelForCausalLM

from flows.cli.main import main
from flows.cli.merge import _guarded
from flows.merging.disk_faults import is_part_of
from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.safetensors_header import TensorInfo, lay_out
from stages.recipe.recipe import Model, NestedRecipe, Recipe, Rule
from tests.flows.conftest import environment, wait_until
from tests.flows.forked_command import started
from tests.flows.typed import merged, said_by

Q = "model.layers.1.self_attn.q_proj.weight"
TIES = """
merge_method: ties
base_model: base
models:
  - {model: one, parameters: {weight: 0.5}}
  - {model: two, parameters: {weight: [0.1, 0.9]}}
parameters: {density: [{filter: mlp, value: 0.5}, {value: 1}]}
dtype: bfloat16
"""
CHAIN = """
name: near
merge_method: linear
models: [{model: one}, {model: base}]
parameters: {weight: 0.5}
---
merge_method: slerp
base_model: near
models: [{model: two}]
parameters: {t: 0.5}
"""


@pytest.mark.usefixtures("here")
def test_merge_writes_a_model_and_says_its_hash() -> None:
    """The child loads, its hash is the one that is said, and again it is the same."""
    said = said_by(merged(TIES))
    assert f"out: weights {Checkpoint(Path('out')).hash()}" in said
    assert "germline merge out OUT" in said
    merged(TIES, "--threads", "1", "--shard-size", "10kB", out="again")
    assert Checkpoint(Path("out")).hash() == Checkpoint(Path("again")).hash()
    assert len(list(Path("again").glob("*.safetensors"))) > 1
    model = AutoModelForCausalLM.from_pretrained("again")
    assert torch.isfinite(model(torch.tensor([[1, 2]])).logits).all()


@pytest.mark.usefixtures("here")
def test_a_card_holds_the_recipe_that_made_the_model() -> None:
    """The child's folder, and the recipe of its card, make the same weights and the same card."""
    merged(TIES, "--compat", "mergekit")
    card = Path("out/README.md").read_text(encoding="utf-8")
    merged(card.split("```json")[1].split("```")[0], out="again")
    _again("out", "twice")
    for folder in ("again", "twice"):
        assert Checkpoint(Path("out")).hash() == Checkpoint(Path(folder)).hash()
        assert card == Path(folder, "README.md").read_text(encoding="utf-8")
    assert str(Path.cwd()) not in card


def _again(source: str, out: str, *options: str, code: int = 0) -> str:
    """Run ``germline merge`` on a folder or a file; return what it printed."""
    result = CliRunner().invoke(main, ["merge", source, out, *options])
    assert code == result.exit_code, result.output
    return result.output


@pytest.mark.usefixtures("here")
def test_models_of_a_recipe_are_known_by_their_hashes() -> None:
    """They are found under other names and in other places; another model is refused."""
    merged(TIES)
    expected = Checkpoint(Path("out")).hash()
    Path("one").rename("uno")
    Path("elsewhere").mkdir()
    Path("two").rename("elsewhere/two")
    said = _again("out", "again", code=1).replace("\n", " ")
    assert "out, model two: weights" in said
    assert "--model two=PLACE" in said
    assert "model one" not in said
    said = _again("out", "again", "--model", "two=uno", code=1)
    assert "model two: uno holds the weights" in said.replace("\n", " ")
    said = _again("out", "again", "--model", "too=uno", code=1)
    assert "--model too: the recipe names base, one, two" in said.replace("\n", " ")
    _again("out", "again", "--model", "two=elsewhere/two")
    assert expected == Checkpoint(Path("again")).hash()
    Path("elsewhere/two").rename("two")
    Path("out").rename("elsewhere/out")
    _again("elsewhere/out", "third")  # the models are here, in the working directory
    assert expected == Checkpoint(Path("third")).hash()


@pytest.mark.usefixtures("here")
def test_a_recipe_is_not_changed_by_options() -> None:
    """Its seed and its rounding are its own; a file that holds no recipe says what to give."""
    merged(TIES)
    for option in (["--seed", "1"], ["--compat", "mergekit"]):
        assert "Leave --seed and" in _again("out", "again", *option, code=1)
    assert "README.md holds no recipe" not in _again("out", "plan", "--dry-run")
    Path("two/README.md").write_text("# two\n", encoding="utf-8")
    assert "README.md holds no recipe" in _again("two", "again", code=1)
    assert "README.md cannot be read" in _again("one", "again", code=1)


@pytest.mark.usefixtures("here")
def test_a_preview_says_the_id_of_the_recipe() -> None:
    """The id that the card will have, of a file and of the child."""
    said = merged(TIES, "--dry-run").stdout
    merged(TIES)
    card = Path("out/README.md").read_text(encoding="utf-8")
    (line,) = [line for line in said.splitlines() if line.startswith("  recipe ")]
    assert f"Recipe `{line.split()[-1]}`" in card
    assert line in _again("out", "again", "--dry-run")
    assert not Path("again").exists()


@pytest.mark.usefixtures("here")
def test_a_child_is_written_down_in_mergekits_language() -> None:
    """Its MergeKit file gives its weights and its recipe; a MergeKit file has nothing to gain."""
    merged(TIES)
    _again("out", "out.yml", "--as-mergekit")
    _again("out.yml", "again")
    cards = [Path(out, "README.md").read_text(encoding="utf-8") for out in ("out", "again")]
    assert cards[0] == cards[1]
    said = _again("out.yml", "twice.yml", "--as-mergekit", code=1)
    assert "is a MergeKit file already" in said


@pytest.mark.usefixtures("here")
def test_a_merge_of_a_merge_is_said_to_need_a_recipe() -> None:
    """MergeKit's language has no word for it; germline merges it, from JSON."""
    one, two = (Model(name, Checkpoint(Path(name)).hash()) for name in ("one", "two"))
    halves = (Rule({"weight": 0.5}),)
    inner = NestedRecipe("inner", Recipe.of_models("linear", (one, two), halves))
    nested = Recipe.of_models("linear", (inner, one), halves)
    Path("nested.json").write_text(json.dumps(nested.to_dict()), encoding="utf-8")
    said = _again("nested.json", "nested.yml", "--as-mergekit", code=1)
    assert "its model inner is not a folder but a merge of its own" in said
    assert "takes the recipe as JSON" in said
    assert not Path("nested.yml").exists()
    _again("nested.json", "made")


@pytest.mark.usefixtures("here")
def test_seed_chooses_the_masks() -> None:
    """A method that draws at random gives other weights with another seed, and the same again."""
    text = "merge_method: dare_ties\nbase_model: base\nmodels: [{model: one}]\n"
    text += "parameters: {weight: 1, density: 0.5}"
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        merged(text, "--seed", seed, out=out)
    a, b, c = (Checkpoint(Path(out)).hash() for out in "abc")
    assert a == b != c


@pytest.mark.usefixtures("here")
def test_dry_run_prints_the_plan_and_writes_nothing() -> None:
    """Tensors, shapes, dtypes, values, sizes, memory and time."""
    before = {*Path().rglob("*")}
    said = merged(TIES, "--dry-run").stdout
    assert {*before, Path("merge.yml")} == {*Path().rglob("*")}
    for expected in (
        "model one: 39 tensors, F32",
        "model.layers.3.mlp.up_proj.weight",
        "24x16",
        "weight=0.5,0.9 density=0.5,0.5 scale=1 normalize=1 rescale=none",
        "child: 39 tensors (39 BF16)",
        "memory about",
        "time about",
    ):
        assert expected in said


def sparse(folder: Path, width: int) -> None:
    """Write a model of two layers whose weights are a hole in a file."""
    folder.mkdir()
    infos = {Q.replace("1", str(i)): TensorInfo("BF16", (width, width)) for i in (0, 1)}
    infos["model.embed_tokens.weight"] = TensorInfo("BF16", (width, width))
    header, places = lay_out(folder / "model.safetensors", infos)
    (folder / "model.safetensors").write_bytes(header)
    os.truncate(folder / "model.safetensors", max(p.stop for p in places.values()))
    (folder / "config.json").write_text('{"num_hidden_layers": 2}', encoding="utf-8")


SPARSE = "merge_method: linear\nmodels: [{model: big}, {model: vast}]\nparameters: {weight: 1}\n"


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("here")
def test_dry_run_reads_no_weight() -> None:
    """Two models of 3 TB are planned, which no disk reads in the time that a test may take."""
    for name in ("big", "vast"):
        sparse(Path(name), 700_000)
    said = merged(SPARSE, "--dry-run").stdout
    assert "reads 5880.00 GB, writes 2940.00 GB" in said


@pytest.mark.usefixtures("here")
def test_room_is_asked_for_before_work() -> None:
    """A model that does not fit on the disk is refused with both numbers."""
    for name in ("big", "vast"):
        sparse(Path(name), 1_200_000)
    result = merged(SPARSE, code=1)
    assert "needs 8640.00 GB in out, the disk has" in result.stderr


def test_a_disk_that_fills_up_issaid_by(capsys: pytest.CaptureFixture[str]) -> None:
    """Where others take the room meanwhile, the message says what happened and what to do."""

    def fail() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(SystemExit):
        _guarded(fail, Path("out"))
    assert "error: out: the disk is full. Free some. Nothing was left" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_an_output_that_exists_is_refused_before_work() -> None:
    """Nothing is read, hashed or overwritten; an empty folder may be filled."""
    Path("out").mkdir()
    merged(TIES)
    result = merged(TIES.replace("model: one", "model: none"), code=1)
    assert "error: out: already there" in result.stderr
    assert 1 == len(result.stderr.splitlines())


@pytest.mark.usefixtures("here")
def test_stages_are_made_once() -> None:
    """A named document is kept by its id; it is made again where a value or a model changes."""
    merged(CHAIN)
    (first,) = Path("out-stages").iterdir()
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    expected = Checkpoint(Path("out")).hash()
    shutil.rmtree("out")
    merged(CHAIN)
    assert stamp == (first / "model.safetensors").stat().st_mtime_ns
    assert expected == Checkpoint(Path("out")).hash()

    other = CHAIN.replace("{model: one}", "{model: one, parameters: {weight: 2}}")
    merged(other, "--stages", "out-stages", out="b")
    assert 2 == len(list(Path("out-stages").iterdir()))
    shutil.rmtree("one")
    shutil.copytree("two", "one")
    merged(CHAIN, "--stages", "out-stages", out="c")
    assert 3 == len(list(Path("out-stages").iterdir()))
    hashes = {Checkpoint(Path(out)).hash() for out in ("out", "b", "c")}
    assert 3 == len(hashes)


@pytest.mark.usefixtures("here")
def test_a_stage_is_what_it_would_be_alone() -> None:
    """Two documents give what two merges give, and what the recipe of the child gives."""
    merged(CHAIN)
    first, second = CHAIN.split("---")
    merged(first.replace("name: near\n", ""), out="near")
    merged(second, out="again")
    _again("out", "rebuilt")
    hashes = {Checkpoint(Path(out)).hash() for out in ("out", "again", "rebuilt")}
    assert 1 == len(hashes)


@pytest.mark.usefixtures("here")
def test_faults_of_all_documents_come_before_any_work() -> None:
    """A fault in the last document is found before the first is carried out; all are listed."""
    text = CHAIN.replace("t: 0.5", "t: 5")
    text += f"---\nname: other\n{TIES.replace('model: two', 'model: ./too')}"
    text = text.replace("{model: two}]", "{model: two}, {model: other}]")
    errors = merged(text, code=1).stderr
    assert "merge.yml: ./too: no such folder. Did you mean 'two'?" in errors
    assert not Path("out-stages").exists()
    errors = merged(CHAIN.replace("t: 0.5", "t: 5"), code=1).stderr
    assert "t is 5.0. Legal is a number in [0, 1]" in errors
    assert not Path("out-stages").exists()


@pytest.mark.usefixtures("here")
def test_a_size_that_is_none_is_a_usage_error() -> None:
    """The error says how the option is written, and ends with 2."""
    result = merged(TIES, "--shard-size", "many", code=2)
    assert "'many' is not a size. Write 5GB" in result.stderr


def test_help_explains_itself() -> None:
    """A new user reads what CONFIG and OUT are, and sees an example."""
    said = CliRunner().invoke(main, ["merge", "--help"]).output
    for expected in (
        "a MergeKit file, a recipe (JSON), or the folder",
        "\n    germline merge ties.yml merged\n",
        "--dry-run",
    ):
        assert expected in said


@pytest.mark.usefixtures("fork_server")
def test_ctrl_c_leaves_nothing(here: Path, tmp_path: Path) -> None:
    """A merge that is stopped half-way ends with 130 and leaves no folder, whole or in part."""
    for name in ("big", "vast"):
        sparse(Path(name), 3_500)
    text = SPARSE.replace("linear", "karcher").replace("parameters: {weight: 1}\n", "")
    Path("merge.yml").write_text(text, encoding="utf-8")
    log = tmp_path / "said.log"
    child = started(["merge", "merge.yml", "out"], here, environment(), log)
    wait_until(lambda: bool(list(Path().glob(".out.*.partial"))), limit_s=60)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGINT)
    child.join(timeout=60)
    said = log.read_text(encoding="utf-8")
    assert (130, True) == (child.exitcode, "stopped: out was not written" in said), said
    assert [] == [path.name for path in Path().iterdir() if "out" in path.name]


class _Interrupt(MetaPathFinder):
    """Presses Ctrl-C while the rooms of a merge are imported, which takes seconds."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        del path, target
        if name == "flows.merging.merge_input":
            raise KeyboardInterrupt


@pytest.mark.usefixtures("here")
def test_ctrl_c_before_the_merge_ends_as_during_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 130 and one line, while PyTorch is imported too."""
    monkeypatch.delitem(sys.modules, "flows.merging.merge_input", raising=False)
    monkeypatch.setattr(sys, "meta_path", [_Interrupt(), *sys.meta_path])
    result = merged(TIES, code=130)
    assert "stopped: out was not written\n" == result.stderr


def test_an_unknown_error_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is one line for the person, and a traceback in the file that the line names."""
    monkeypatch.chdir(tmp_path)

    def fail() -> None:
        raise OSError(errno.EIO, "broken")

    with pytest.raises(SystemExit):
        _guarded(fail, Path("out"))
    assert "OSError: [Errno 5] broken. Its traceback is in" in capsys.readouterr().err
    assert "in fail" in Path("reports/runs/last-error.txt").read_text(encoding="utf-8")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("out", [".", "", "/", "..", "link", "hanging", "ties.yml", "new/../.."])
def test_out_that_is_not_a_new_folder_is_refused(out: str) -> None:
    """Nothing is merged into the working directory, through a link or over a file."""
    Path("ties.yml").write_text(TIES, encoding="utf-8")
    Path("elsewhere").mkdir()
    Path("link").symlink_to("elsewhere")
    Path("hanging").symlink_to("nowhere")

    result = CliRunner().invoke(main, ["merge", "ties.yml", out])

    assert result.exit_code == 1
    assert 1 == len(result.stderr.splitlines()), result.stderr
    assert (
        "not the name of a folder" in result.stderr
        or "link" in result.stderr
        or ("already there" in result.stderr)
    )
    assert not any(Path("elsewhere").iterdir())


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("kind", ["file", "folder", "adapter"])
def test_link_that_leaves_a_model_folder_is_refused(kind: str, tmp_path: Path) -> None:
    """What lies elsewhere on the machine is not copied into a child."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/words.jinja").write_text("secret", encoding="utf-8")
    if kind == "adapter":
        shutil.copytree("one", "adapter")
    folder = "adapter" if kind == "adapter" else "one"
    name = "additional_chat_templates" if kind == "folder" else "chat_template.jinja"
    target = "secret" if kind == "folder" else "secret/words.jinja"
    Path(folder, name).symlink_to(tmp_path / target)
    Path("ties.yml").write_text(
        TIES.replace("model: one", "model: one+adapter") if kind == "adapter" else TIES,
        encoding="utf-8",
    )

    result = CliRunner().invoke(main, ["merge", "ties.yml", "out"])

    assert f"{name}: a link that leads out of" in result.stderr
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("path", "is_part"),
    [
        ("runs/out", True),
        ("runs", True),
        ("runs/out/model.safetensors", True),
        ("runs/.out.0123.partial/model.safetensors", True),
        ("runs/one/model.safetensors", False),
        ("runs/outer/model.safetensors", False),
        ("/elsewhere/model.safetensors", False),
    ],
)
def test_a_fault_of_the_disk_blames_the_right_folder(path: str, is_part: bool) -> None:
    """What is wrong with a file of a model is not said of the folder that is written."""
    assert is_part is is_part_of(Path("runs/out"), Path(path))
