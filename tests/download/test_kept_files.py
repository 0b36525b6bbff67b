"""What the folder of a parent holds besides config and weights, and which parents are taken."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.download.conftest import make_model, params, run
from tests.merge.architecture.families import make
from tests.merge.conftest import save_model
from tests.merge.outputs.test_companion_files import NOT_OF_A_MODEL, OF_THE_BASE, files_of, saved

OUT = Path("data/parents")


def test_a_download_keeps_what_its_model_needs(project: Path) -> None:
    """The folder of a parent holds the same files as its source."""
    source = saved(project / "models", "base", 0).folder
    save_model(project / "models/one", seed=1)
    run(params("./models/base", one="./models/one"), OUT)
    before, after = files_of(source), files_of(OUT / "base")
    assert {*OF_THE_BASE, "2_Dense/model.safetensors"} <= {*after}
    assert all(before[name] == content for name, content in after.items())
    assert not {*NOT_OF_A_MODEL} & {*after}
    assert json.loads(after["modules.json"])[0]["path"] == "1_Pooling"


def test_a_tied_head_may_be_stored_again(project: Path) -> None:
    """Other programs write the head of a tied model, too; it is the embedding."""
    base = make_model(project / "models/base", tie_word_embeddings=True)
    one = make_model(project / "models/one", seed=1, tie_word_embeddings=True)
    tensors = load_file(one / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, one / "model.safetensors", {"format": "pt"})
    run(params(f"./{base.relative_to(project)}", one=f"./{one.relative_to(project)}"), OUT)
    assert "lm_head.weight" in load_file(OUT / "one/model.safetensors")


@pytest.mark.parametrize(("family", "text"), [("llava", "llama"), ("gemma3_vision", "gemma3")])
def test_text_only_parents_join_a_vision_language_base(
    family: str, text: str, project: Path
) -> None:
    """The language model inside the base is what they are fine-tunes of."""
    for name, kind, seed in (("base", family, 0), ("one", text, 1), ("two", text, 2)):
        make(kind, seed).save_pretrained(project / "models" / name)
        for path in (project / "data/zoo/base").glob("*token*"):
            shutil.copy(path, project / "models" / name)
    run(params("./models/base", one="./models/one", two="./models/two"), OUT)
    assert {"base", "one", "two", "manifest.json"} == {path.name for path in OUT.iterdir()}
