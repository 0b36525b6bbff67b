"""The download stage and ``germline merge`` accept the same models, and refuse the same ones."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.errors import CheckpointError
from stages.merge.engine.tensor_ranges import merge
from stages.merge.plan.planner import plan
from tests.download.conftest import edit_json, make_model, params, run
from tests.flows.typed import merged
from tests.merge.architecture.families import make
from tests.merge.conftest import spell_by_sentencepiece
from tests.merge.recipes import recipe_of

OUT = Path("data/parents")
BASE, MATH = Path("data/zoo/base"), Path("data/zoo/math")
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
LINEAR = """
merge_method: linear
models:
  - {model: data/zoo/base, parameters: {weight: 0.5}}
  - {model: data/zoo/math, parameters: {weight: 0.5}}
dtype: float32
"""
Tensors = dict[str, Tensor]


def rewrite(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    """Change the tensors of a model."""
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})


def _with_head(*folders: Path, factor: float = 1.0) -> None:
    for folder in folders:
        rewrite(folder, lambda t: {**t, HEAD: t[EMBEDDING] * factor})


def _with_head_unsaid(folder: Path) -> None:
    _with_head(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    del config["tie_word_embeddings"]
    path.write_text(json.dumps(config), encoding="utf-8")


def _with_buffers(folder: Path) -> None:
    buffer = {"model.layers.1.self_attn.rotary_emb.inv_freq": torch.ones(2)}
    rewrite(folder, lambda t: {**t, **buffer})


def _renamed(folder: Path, prefix: str = "model.") -> None:
    rewrite(folder, lambda t: {name.removeprefix(prefix): tensor for name, tensor in t.items()})
    edit_json(folder / "config.json", architectures=["LlamaModel"])


def _text_alone() -> None:
    tokenizer = [p for p in BASE.iterdir() if p.name.startswith("tokenizer")]
    for family, folder, seed in (("llava", BASE, 0), ("llama", MATH, 1)):
        for path in folder.glob("model*"):
            path.unlink()
        make(family, seed).save_pretrained(folder)
    assert all(path.is_file() for path in tokenizer)


def _tower_in_parent() -> None:
    _text_alone()
    BASE.rename("other")
    MATH.rename(BASE)
    Path("other").rename(MATH)


def _spelled_by_sentencepiece() -> None:
    for folder in (BASE, MATH):
        (folder / "tokenizer.json").unlink()
        settings = json.dumps({"tokenizer_class": "LlamaTokenizer"})
        (folder / "tokenizer_config.json").write_text(settings, encoding="utf-8")
        spell_by_sentencepiece(folder)


ACCEPTED: dict[str, Callable[[], object]] = {
    "as they are": lambda: None,
    "a head stored twice": lambda: _with_head(MATH),
    "a head that the base alone stores": lambda: _with_head(BASE),
    "heads that both store": lambda: _with_head(BASE, MATH),
    "a config that says nothing of the head": lambda: _with_head_unsaid(MATH),
    "buffers in one model": lambda: _with_buffers(MATH),
    "buffers in the base": lambda: _with_buffers(BASE),
    "names without their prefix": lambda: _renamed(MATH),
    "names with a prefix that the base lacks": lambda: _renamed(BASE),
    "a text-only parent": _text_alone,
    "a tokenizer of SentencePiece alone": _spelled_by_sentencepiece,
}
REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a head of its own": (lambda: _with_head(MATH, factor=2.0), f"tensor {HEAD}: .* has one"),
    "a tensor too few": (
        lambda: rewrite(MATH, lambda t: {n: x for n, x in t.items() if n != "model.norm.weight"}),
        "tensor model.norm.weight: .* has none",
    ),
    "a tensor too many": (
        lambda: rewrite(MATH, lambda t: {**t, "model.extra.weight": torch.ones(3)}),
        "tensor model.extra.weight: .* has one",
    ),
    "another shape": (
        lambda: rewrite(MATH, lambda t: {**t, "model.norm.weight": torch.ones(17)}),
        r"tensor model.norm.weight: .* has shape \[17\]",
    ),
    "whole numbers": (
        lambda: rewrite(MATH, lambda t: {**t, "model.norm.weight": torch.ones(16).int()}),
        "tensor model.norm.weight: .* holds I32",
    ),
    "a vision tower that the base lacks": (
        _tower_in_parent,
        "make (data/zoo/)?math the base",
    ),
}


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with a base and a fine-tune whose heads are tied."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GERMLINE_CACHE", str(tmp_path / "cache"))
    for seed, folder in enumerate((BASE, MATH)):
        make_model(folder, seed=seed, tie_word_embeddings=True)


@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize("case", ACCEPTED)
def test_both_doors_accept(case: str) -> None:
    """What one takes the other takes, and a candidate is the same child within rounding."""
    ACCEPTED[case]()

    run(params(), OUT)
    merged(LINEAR)

    base, parent = (Checkpoint(OUT / name) for name in ("base", "math"))
    recipe = recipe_of("task_arithmetic", base, [parent], {"weight": 0.5}, dtype="float32")
    child, candidate = Checkpoint(Path("out")), dict(merge(plan(recipe, [base, parent])))
    assert child.tensors.keys() == candidate.keys()
    for name, tensor in candidate.items():
        torch.testing.assert_close(tensor, child.read(name), rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("zoo")
def test_padding_of_the_embedding_is_not_a_fault() -> None:
    """Rows that stand for no token may be more or fewer; the tokenizer is still the base's."""
    make_model(MATH, seed=1, tie_word_embeddings=True, vocab_size=40)
    text = LINEAR.replace("dtype:", "tokenizer_source: base\ndtype:")

    run(params(), OUT)
    merged(text)

    assert (32, 16) == Checkpoint(Path("out")).tensors[EMBEDDING].shape


@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize("case", REFUSED)
def test_both_doors_refuse(case: str) -> None:
    """What one refuses the other refuses, and both name the tensor."""
    inflict, message = REFUSED[case]
    inflict()

    with pytest.raises(CheckpointError, match=message):
        run(params(), OUT)
    said = merged(LINEAR, code=1).stderr.replace("\n", " ")
    with pytest.raises(CheckpointError, match=message):
        raise CheckpointError(said)
    assert not Path("out").exists()
