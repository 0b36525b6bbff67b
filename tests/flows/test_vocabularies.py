"""A parent that numbers its words otherwise: with a union the pipeline sees the same model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.flows.conftest import Project

EMBEDDING = "model.embed_tokens.weight"
NEW = "<|done|>"


def respell(folder: Path) -> None:
    """Number a model's words backwards and add a token: nothing that it says changes."""
    path = folder / "tokenizer.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    special = {token["content"] for token in data["added_tokens"]}
    vocab = data["model"]["vocab"]
    words = [word for word in vocab if word not in special]
    other = dict(zip(words, [vocab[word] for word in reversed(words)], strict=True))
    data["model"]["vocab"] = {**vocab, **other}
    data["added_tokens"].append({**data["added_tokens"][0], "content": NEW, "id": len(vocab)})
    path.write_text(json.dumps(data), encoding="utf-8")

    tensors = load_file(folder / "model.safetensors")
    old = tensors[EMBEDDING]
    new = torch.cat([old, old[:1]])
    for word, number in other.items():
        new[number] = old[vocab[word]]
    save_file({**tensors, EMBEDDING: new}, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["vocab_size"] = len(new)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def scores_of(project: Project) -> dict[str, Any]:
    """Return what every model of the comparison scored on the test split, by name."""
    path = project.folder / "data/selection/selection.json"
    entries = json.loads(path.read_text(encoding="utf-8"))["entries"]
    return {entry["name"]: entry["evaluation"] for entry in entries}


def test_union_of_vocabularies_runs_through(copy_repeated: Callable[[str], Project]) -> None:
    """With a respelled parent the models score as before; the champion has all words.

    But for DARE's: its masks are keyed by the parents' hashes, and the parent has another.
    """
    plain, other = copy_repeated("plain"), copy_repeated("other")
    respell(other.folder / "data/zoo/order")
    refused = other.germline("download", code=1)
    other.set({"merge": {"tokenizer": "union"}})
    for flow in ("download", "evolve", "select"):
        other.germline(flow)

    assert "tokens differ from the base's" in refused
    before, after = scores_of(plain), scores_of(other)
    assert before.keys() == after.keys()
    del before["dare_ties"], after["dare_ties"]
    assert before == after
    champion = other.folder / "data/champion"
    assert len(AutoTokenizer.from_pretrained(champion)) == 108
    model = AutoModelForCausalLM.from_pretrained(champion)
    assert (108, 108) == (model.config.vocab_size, model.get_input_embeddings().num_embeddings)
    assert "0 evaluated now" in other.germline("evolve")


def test_prompts_too_long_for_a_union_end_the_run_before_the_search(
    copy_repeated: Callable[[str], Project],
) -> None:
    """Nothing is evaluated, and the message is that of any other tokenizer."""
    project = copy_repeated("short")
    project.set({"merge": {"tokenizer": "union"}, "evaluate": {"model_args": {"max_length": 9}}})
    said = project.germline("evolve", code=1)
    assert "model_args.max_length is 9" in said
    assert "evaluations to look up" not in said
    assert "generation 0" not in said
