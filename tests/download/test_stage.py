"""The download stage on zoo and local models: what it writes, keeps and refuses."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from stages.checkpoint.reader import Checkpoint
from stages.download.manifest import Parents
from stages.errors import CheckpointError, ParamsError
from stages.hashing import file_hash
from tests.download.conftest import edit_json, make_model, params, run, snapshot

OUT = Path("data/parents")


def break_tensor(folder: Path, name: str, tensor: torch.Tensor | None) -> None:
    """Replace one tensor of a model, or take it out."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors.pop(name)
    save_file(tensors | ({name: tensor} if tensor is not None else {}), path, {"format": "pt"})


@pytest.mark.usefixtures("project")
def test_zoo_models_are_copied_and_listed() -> None:
    """Each model has a folder that transformers loads, and its weights' hash in params order."""
    run(params(math="zoo:math", lang="zoo:lang"), OUT)

    parents = Parents.read(OUT)
    assert ["base", "math", "lang"] == [parent.name for parent in parents]
    assert ["math", "lang"] == [model.name for model in parents.models]
    assert parents.base_folder == OUT / "base"
    for parent in parents:
        assert parent.hash == Checkpoint(Path("data/zoo") / parent.name).hash()
        assert not (parent.folder / "model.safetensors").is_symlink()
        AutoModelForCausalLM.from_pretrained(parent.folder)
        AutoTokenizer.from_pretrained(parent.folder)


def test_manifest_lists_every_file_by_hash(project: Path) -> None:
    """The manifest holds each file's size and SHA-256, sorted, and names no absolute path."""
    run(params(), OUT)

    text = (OUT / "manifest.json").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert str(project) not in text
    model = json.loads(text)["models"][1]
    assert ("math", "zoo:math", None) == (model["name"], model["source"], model["revision"])
    assert model["num_parameters"] == sum(
        tensor.numel() for tensor in load_file(OUT / "math/model.safetensors").values()
    )
    listed = {file["path"]: file for file in model["files"]}
    assert sorted(listed) == sorted(p.name for p in (OUT / "math").iterdir())
    for name, file in listed.items():
        assert file["sha256"] == file_hash(OUT / "math" / name)
        assert file["size"] == (OUT / "math" / name).stat().st_size


@pytest.mark.usefixtures("project")
def test_two_runs_give_equal_bytes_and_the_second_writes_nothing() -> None:
    """Unchanged parents are verified and left alone; from nothing, the same bytes arise."""
    run(params(), OUT)
    before, manifest = snapshot(OUT), (OUT / "manifest.json").read_bytes()

    run(params(), OUT)
    assert before == snapshot(OUT)

    shutil.rmtree(OUT)
    run(params(), OUT)
    assert manifest == (OUT / "manifest.json").read_bytes()


@pytest.mark.usefixtures("project")
def test_a_new_parent_leaves_the_others_as_they_are() -> None:
    """Adding a fine-tune does not copy the base again."""
    run(params(), OUT)
    before = snapshot(OUT / "base")

    run(params(math="zoo:math", lang="zoo:lang"), OUT)

    assert before == snapshot(OUT / "base")
    assert ["math", "lang"] == [model.name for model in Parents.read(OUT).models]


def test_a_changed_source_is_fetched_again(project: Path) -> None:
    """A source whose bytes changed under an unchanged name gives another hash."""
    run(params(), OUT)
    before = Parents.read(OUT).models[0].hash
    make_model(project / "data/zoo/math", seed=9)

    run(params(), OUT)

    assert before != Parents.read(OUT).models[0].hash


@pytest.mark.usefixtures("project")
def test_a_damaged_output_is_repaired() -> None:
    """A file of the output that lost its bytes is put right by the next run."""
    run(params(), OUT)
    expected = Checkpoint(OUT / "math").hash()
    (OUT / "math/model.safetensors").write_bytes(b"short")
    with pytest.raises(CheckpointError, match=r"math/model.safetensors: has 5 bytes"):
        Parents.read(OUT)

    run(params(), OUT)

    assert expected == Checkpoint(OUT / "math").hash()


def test_a_fault_leaves_the_last_output_as_it_was(project: Path) -> None:
    """A run that fails changes nothing that an earlier one wrote, and leaves no debris."""
    run(params(), OUT)
    before = snapshot(OUT)
    break_tensor(project / "data/zoo/lang", "model.norm.weight", None)

    with pytest.raises(CheckpointError, match=r"tensor model.norm.weight: lang has none"):
        run(params(math="zoo:math", lang="zoo:lang"), OUT)

    assert before == snapshot(OUT)
    assert ["parents", "zoo"] == sorted(path.name for path in Path("data").iterdir())


@pytest.mark.usefixtures("project")
def test_local_folder_and_base_as_parent_are_legal() -> None:
    """A folder of the project is a source in both spellings; the base may be a parent too."""
    shutil.copytree("data/zoo/lang", "models/mine")

    run(params(mine="./models/mine", plain="zoo:base"), OUT)
    run(params(mine="local:models/mine", plain="zoo:base"), OUT)

    parents = Parents.read(OUT)
    assert parents.models[1].hash == parents.base.hash
    assert parents.sources["mine"] == "local:models/mine"


def test_only_model_files_are_copied(project: Path) -> None:
    """Training state and code next to a model stay where they are; its card comes along."""
    for name in (
        "NOTES.md",
        "README.md",
        "optimizer.pt",
        "modeling.py",
        "consolidated.safetensors",
    ):
        (project / "data/zoo/math" / name).write_bytes(b"x")

    run(params(), OUT)

    expected = ["README.md", *sorted(p.name for p in (project / "data/zoo/base").iterdir())]
    assert expected == sorted(p.name for p in (OUT / "math").iterdir())


@pytest.mark.usefixtures("project")
def test_missing_models_are_all_named_with_the_nearest() -> None:
    """Every missing source is told at once, with the nearest name and what the zoo holds."""
    with pytest.raises(CheckpointError) as caught:
        run(params(math="zoo:mathh", mine="./nowhere"), OUT)

    first, second = str(caught.value).splitlines()
    assert "download.parents.math: zoo:mathh: no such folder. Did you mean 'math'?" in first
    assert "holds base, lang, math." in first
    assert "download.parents.mine: ./nowhere: no such folder." in second


@pytest.mark.usefixtures("project")
def test_illegal_sources_are_all_named() -> None:
    """Spelling faults of several keys come in one error."""
    with pytest.raises(ParamsError) as caught:
        run(params(a="org/name", b="zoo:", base="zoo:base"), OUT)

    assert 2 == len(str(caught.value).splitlines())


@pytest.mark.usefixtures("project")
def test_a_source_inside_the_output_is_refused() -> None:
    """A model that the stage itself would remove is not a source."""
    with pytest.raises(ParamsError, match=r"inside data/parents, which this stage replaces"):
        run(params(math="./data/parents/math"), OUT)


def test_other_architecture_is_refused_before_weights_are_read(project: Path) -> None:
    """A config that differs from the base's names each difference and both values."""
    make_model(project / "data/zoo/deep", num_hidden_layers=3)
    edit_json(project / "data/zoo/lang/config.json", rms_norm_eps=0.1)
    (project / "data/zoo/lang/model.safetensors").write_bytes(b"never opened")

    with pytest.raises(CheckpointError) as caught:
        run(params(deep="zoo:deep", lang="zoo:lang"), OUT)

    assert "parents.deep: zoo:deep: another architecture" in str(caught.value)
    assert "num_hidden_layers is 3, the base's 2" in str(caught.value)
    assert "rms_norm_eps is 0.1, the base's 1e-06" in str(caught.value)


def test_a_config_that_changes_the_function_is_refused(project: Path) -> None:
    """Equal shapes under another RoPE are an error; a key that nobody reads is a note."""
    edit_json(project / "data/zoo/math/config.json", my_gate=3)
    rope = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}
    edit_json(project / "data/zoo/lang/config.json", rope_parameters=rope)

    with pytest.raises(CheckpointError, match=r"zoo:lang: .*rope_type is 'linear', the base"):
        run(params(math="zoo:math", lang="zoo:lang"), OUT)
    first, *_ = run(params(math="zoo:math"), OUT)

    assert "zoo:math: config.json: my_gate is 3, the base's None. transformers does not" in first


def test_other_shape_is_refused_by_tensor_and_both_shapes(project: Path) -> None:
    """The first tensor of another shape is named with its shape and the base's."""
    break_tensor(project / "data/zoo/math", "model.norm.weight", torch.ones(17))

    with pytest.raises(
        CheckpointError, match=r"norm.weight: math has shape \[17\], base has \[16\]"
    ):
        run(params(), OUT)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(project: Path, bad: float) -> None:
    """One NaN or infinity is found, and its tensor is named."""
    tensor = torch.ones(16)
    tensor[3] = bad
    break_tensor(project / "data/zoo/math", "model.norm.weight", tensor)

    with pytest.raises(
        CheckpointError, match=r"model.norm.weight: 1 of 16 numbers are not finite"
    ):
        run(params(), OUT)


def test_other_vocabulary_is_refused_by_token(project: Path) -> None:
    """A token with another id is named with both ids."""
    words = [w.replace("w5", "new") for w in json.loads(_vocab(project))]
    make_model(project / "data/zoo/math", seed=1, words=words)

    with pytest.raises(CheckpointError, match=r"'w5' is absent, in the base 9") as caught:
        run(params(), OUT)
    assert "merge.tokenizer" in str(caught.value)


@pytest.mark.parametrize("tokenizer", ["union", "math"])
def test_other_vocabulary_is_taken_where_rows_are_moved(project: Path, tokenizer: str) -> None:
    """With a union, or a parent's tokenizer, tokens may differ in ids and number; shapes not."""
    words = [*(w.replace("w5", "new") for w in json.loads(_vocab(project))), "more"]
    make_model(project / "data/zoo/math", seed=1, words=words, vocab_size=33)

    run(params(), OUT, tokenizer=tokenizer)

    assert ["math"] == [model.name for model in Parents.read(OUT).models]
    break_tensor(project / "data/zoo/math", "model.embed_tokens.weight", torch.ones(33, 17))
    with pytest.raises(CheckpointError, match=r"embed_tokens.weight: math has shape \[\d+, 17\]"):
        run(params(), OUT, tokenizer=tokenizer)
    with pytest.raises(CheckpointError, match="3 tokens differ from the base's"):
        run(params(), OUT)


def test_a_parent_without_tokenizer_is_refused(project: Path) -> None:
    """Without a tokenizer nobody knows what the embedding's rows mean."""
    (project / "data/zoo/math/tokenizer.json").unlink()

    with pytest.raises(CheckpointError, match="zoo:math: holds no tokenizer"):
        run(params(), OUT)


@pytest.mark.usefixtures("project")
def test_twins_are_refused() -> None:
    """Two fine-tunes of equal weights are a mistake in params.yaml."""
    with pytest.raises(CheckpointError, match=r"parents.b: zoo:math: has the same weights as a"):
        run(params(a="zoo:math", b="zoo:math"), OUT)


def test_a_truncated_weight_file_is_told_by_its_key(project: Path) -> None:
    """A cut weight file is refused with the key of params.yaml and the file's name."""
    path = project / "data/zoo/math/model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(CheckpointError, match=r"parents.math: zoo:math: model.safetensors"):
        run(params(), OUT)


def test_sources_are_never_changed(project: Path) -> None:
    """Neither a run nor its repetition touches a file of the zoo."""
    before = snapshot(project / "data/zoo")

    run(params(), OUT)
    run(params(lang="zoo:lang"), OUT)

    assert before == snapshot(project / "data/zoo")
    assert 1 == (OUT / "base/model.safetensors").stat().st_nlink


def _vocab(project: Path) -> str:
    data = json.loads((project / "data/zoo/base/tokenizer.json").read_text(encoding="utf-8"))
    return json.dumps(sorted(data["model"]["vocab"], key=data["model"]["vocab"].get))
