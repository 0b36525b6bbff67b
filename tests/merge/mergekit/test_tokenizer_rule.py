"""Tokenizers as a document asks for them: rows moved, vocab_size true, contradictions refused."""

import json
from pathlib import Path

import pytest
import torch

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.tokenizer_vocabulary import read_tokens
from stages.errors import RecipeError
from stages.merge.engine.tensor_ranges import merge
from stages.merge.mergekit.from_recipe import from_recipe
from stages.merge.outputs.model_folder import hash_weights, write_model
from stages.merge.plan.planner import plan
from stages.recipe.recipe import Recipe
from tests.merge.mergekit.llamas import lowered, translated
from tests.merge.tokenizers.conftest import EMBEDDING, speaker

TEXT = "merge_method: linear\nbase_model: $a\nmodels: [{model: $a}, {model: $b}]\n"
TEXT += "parameters: {weight: 1}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Models a and b; b has a's words in another order, and one of its own."""
    speaker(tmp_path / "a", ["one", "two"], start=10.0)
    speaker(tmp_path / "b", ["two", "one"], added=["<b>"], start=20.0)
    return tmp_path


def _written(text: str, folder: Path) -> Checkpoint:
    write_model(lowered(text, folder).plan, folder / "out", shard_bytes=10**9)
    return Checkpoint(folder / "out")


@pytest.mark.parametrize("key", ["tokenizer_source: union", "tokenizer: {source: union}"])
def test_a_union_holds_the_tokens_of_all(folder: Path, key: str) -> None:
    """Each row is the mean of what the models have for that token; a lone one is its model's."""
    child = _written(TEXT + key, folder)
    expected = torch.tensor([10.0 + 20, 11.0 + 22, 12.0 + 21, 23.0 + 23]) / 2
    assert torch.equal(expected, child.read(EMBEDDING)[:, 0])
    assert 4 == child.config["vocab_size"]
    assert {"?": 0, "one": 1, "two": 2, "<b>": 3} == read_tokens(child.folder).ids


def test_a_models_tokenizer_is_taken(folder: Path) -> None:
    """A source that is a model gives its tokens and order, base the base's."""
    child = _written(f"{TEXT}tokenizer_source: $b", folder)
    assert {"?": 0, "two": 1, "one": 2, "<b>": 3} == read_tokens(child.folder).ids
    assert 16.5 == float(child.read(EMBEDDING)[2, 0])  # "one": 11 of a, 22 of b
    plan = lowered(f"{TEXT}tokenizer_source: base", folder).plan
    assert (3, 2) == dict(merge(plan))[EMBEDDING].shape


def test_single_tokens_have_their_own_sources(folder: Path) -> None:
    """zero, another model's row of the token or of another one, and padding to a multiple."""
    text = f"{TEXT}tokenizer:\n  pad_to_multiple_of: 8\n  tokens:\n"
    text += "    one: {source: {kind: zero}, force: true}\n"
    text += "    two: {source: $b, force: true}\n"
    text += "    <b>: {source: {kind: model_token, model: $a, token: one}}\n"
    child = _written(text, folder)
    rows = child.read(EMBEDDING)[:, 0].tolist()
    assert [15.0, 0.0, 21.0, (11.0 + 23.0) / 2] == rows[:4]
    assert (8, 8) == (len(rows), child.config["vocab_size"])


def test_a_chat_template_is_written(folder: Path) -> None:
    """By its name, or as text; without a tokenizer section too."""
    child = _written(f"{TEXT}tokenizer_source: base\nchat_template: chatml", folder)
    assert "<|im_start|>" in (child.folder / "chat_template.jinja").read_text()
    (folder / "out").rename(folder / "first")
    same = (
        f"{TEXT.replace('model: $b', 'model: $a')}chat_template: '{{{{ messages[0].content }}}}'"
    )
    child = _written(same, folder)
    assert "messages[0].content" in (child.folder / "chat_template.jinja").read_text()


def test_vocabularies_that_contradict_need_a_source(folder: Path) -> None:
    """Without a tokenizer section rows stay where they are, so an id must mean one token."""
    with pytest.raises(RecipeError, match=r"id 1 is 'two' in .*Give a tokenizer source"):
        lowered(TEXT, folder)


def test_the_id_knows_the_vocabularies(folder: Path) -> None:
    """Other tokens of a model whose rows are moved give another id."""
    text = f"{TEXT}tokenizer_source: base"
    before = lowered(text, folder).plan.id
    path = folder / "b" / "tokenizer.json"
    path.write_text(path.read_text().replace("<b>", "<c>"))
    assert before != lowered(text, folder).plan.id


@pytest.mark.parametrize(
    "key",
    [
        "tokenizer_source: union",
        "tokenizer_source: $b",
        "tokenizer: {source: base, tokens: {<b>: {source: {kind: zero}}}, pad_to_multiple_of: 8}",
    ],
)
def test_a_tokenizer_is_part_of_the_recipe(key: str, folder: Path) -> None:
    """Its JSON, and its document again, give the same rows under the same id; with a pin."""
    translation = translated(f"{TEXT}{key}", folder)
    assert translation.recipe.tokenizer.pin is not None
    again = Recipe.from_dict(json.loads(json.dumps(translation.recipe.to_dict())))
    places = [f"{folder}/{ancestor.name}" for ancestor in again.ancestors]
    text = json.dumps(from_recipe(again, translation.models, places))
    recipes = [translation.recipe, again, translated(text, folder).recipe]
    assert 1 == len({recipe.id for recipe in recipes})
    assert 1 == len({hash_weights(plan(recipe, translation.models)) for recipe in recipes})
