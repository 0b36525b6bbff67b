"""The proof: a child of a union says, in a parent's own token, what that parent learnt."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from stages.checkpoint.reader import Checkpoint
from stages.merge.outputs.model_folder import ResidentSink, hash_weights, write_model
from stages.merge.tokenizers.recipe_tokenizer import pinned
from stages.recipe.recipe import Recipe, Value
from tests.merge.recipes import planned, recipe_of
from tests.merge.tokenizers.conftest import write_words

WORDS = {"one": 1, "two": 2, "plus": 3, "is": 4}
BACKWARDS = {"is": 1, "plus": 2, "two": 3, "one": 4}
VALUES: dict[str, Value] = {"weight": (1.0, 0.2), "scale": 1.0, "normalize": 0.0}
ASKED, SAID = "one plus two is", ["<|three|>", "two", "</s>"]


def _save(
    folder: Path, words: dict[str, int], added: dict[str, int], model: torch.nn.Module
) -> None:
    model.save_pretrained(folder)  # type: ignore[operator]
    write_words(folder, words, added)
    path = folder / "tokenizer_config.json"
    config = {**json.loads(path.read_text(encoding="utf-8")), "eos_token": "</s>"}
    path.write_text(json.dumps(config), encoding="utf-8")


def _model(size: int, *, end: int, ties: bool) -> LlamaForCausalLM:
    """Return a small Llama with drawn weights."""
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        tie_word_embeddings=ties,
        eos_token_id=end,
        bos_token_id=None,
        pad_token_id=end,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weights in sorted(model.named_parameters()):
            if "norm" not in name:
                weights.copy_(torch.randn(weights.shape, generator=generator) * 0.1)
    return model


def _teach(model: LlamaForCausalLM, tokens: list[int], num_asked: int) -> None:
    """Train until the model says ``tokens`` after the first ``num_asked`` of them."""
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    inputs = torch.tensor([tokens])
    labels = inputs.clone()
    labels[0, :num_asked] = -100
    for _ in range(60):
        optimizer.zero_grad()
        loss = model(input_ids=inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def _answer(folder: Path) -> tuple[list[str], str]:
    """Return the tokens that a model says when asked, and the text they are read back as."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokens = torch.tensor([tokenizer.encode(ASKED)])
    said = model.generate(
        tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=6, do_sample=False
    )
    ids = said[0, tokens.shape[1] :].tolist()
    return tokenizer.convert_ids_to_tokens(ids), tokenizer.decode(ids)


def _pinned(recipe: Recipe, models: list[Checkpoint]) -> Recipe:
    """Return the recipe with its tokenizer as it must be on these models."""
    return replace(recipe, tokenizer=pinned(recipe, models))


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def trio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[Checkpoint]:
    """A base; a parent with other ids taught to answer in a new token; one with another token."""
    root = tmp_path_factory.mktemp("trio")
    base = _model(6, end=5, ties=request.param)
    _save(root / "base", WORDS, {"</s>": 5}, base)
    added = {"</s>": 5, "<|three|>": 6}
    other = _model(7, end=5, ties=request.param)
    weights = {n: w.clone() for n, w in base.state_dict().items()}
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        rows = weights[name]
        moved = torch.cat([rows, rows.mean(dim=0, keepdim=True)])
        for word, number in BACKWARDS.items():
            moved[number] = rows[WORDS[word]]
        weights[name] = moved
    other.load_state_dict(weights)
    ids = {**BACKWARDS, **added}
    asked = [ids[word] for word in ASKED.split()]
    _teach(other, [*asked, *(ids[token] for token in SAID)], len(asked))
    _save(root / "taught", BACKWARDS, added, other)
    third = _model(7, end=5, ties=request.param)
    third.load_state_dict({**weights, **{n: w * 1.01 for n, w in weights.items() if "norm" in n}})
    _save(root / "third", BACKWARDS, {"</s>": 5, "<|four|>": 6}, third)
    return [Checkpoint(root / name) for name in ("base", "taught", "third")]


def test_child_says_the_token_that_only_a_parent_knew(
    trio: list[Checkpoint], tmp_path: Path
) -> None:
    """After a union the child answers with the parent's own token and reads it back as text."""
    assert "<|three|>" not in _answer(trio[0].folder)[0]
    assert SAID == _answer(trio[1].folder)[0]
    recipe = recipe_of(
        "task_arithmetic", trio[0], trio[1:], VALUES, dtype="float32", tokenizer="union"
    )
    plan = planned(_pinned(recipe, trio), trio[0], trio[1:])
    digest = write_model(plan, tmp_path / "child", shard_bytes=10**9)
    tokens, text = _answer(tmp_path / "child")
    assert SAID == tokens
    assert "<|three|> two </s>" == text
    config = json.loads((tmp_path / "child" / "config.json").read_text(encoding="utf-8"))
    assert (8, 5) == (config["vocab_size"], config["eos_token_id"])
    tied = config["tie_word_embeddings"]
    assert tied != ("lm_head.weight" in Checkpoint(tmp_path / "child").tensors)
    resident = AutoModelForCausalLM.from_pretrained(tmp_path / "child", dtype=torch.float32)
    assert digest == ResidentSink(resident).load(plan) == hash_weights(plan, threads=1)


def test_child_of_a_named_parent_speaks_its_tokens(trio: list[Checkpoint], tmp_path: Path) -> None:
    """With a parent's tokenizer the child has its ids, and answers as it does."""
    recipe = recipe_of(
        "task_arithmetic", trio[0], trio[1:], VALUES, dtype="float32", tokenizer="taught"
    )
    plan = planned(_pinned(recipe, trio), trio[0], trio[1:])
    write_model(plan, tmp_path / "child", shard_bytes=10**9)
    assert SAID == _answer(tmp_path / "child")[0]
    child_tokenizer, parent_tokenizer = (
        AutoTokenizer.from_pretrained(f) for f in (tmp_path / "child", trio[1].folder)
    )
    assert parent_tokenizer.get_vocab() == child_tokenizer.get_vocab()
    assert parent_tokenizer.encode("two plus <|three|>") == child_tokenizer.encode(
        "two plus <|three|>"
    )
