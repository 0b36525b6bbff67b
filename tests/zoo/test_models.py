"""The bundled models are small, real and of one family."""

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from zoo.skills import Example
from zoo.tokenizer import make_tokenizer
from zoo.train import COURSES, OUT, batch
from zoo.words import vocabulary

ROOT = Path(__file__).parents[2]
ZOO = ROOT / OUT


@pytest.mark.parametrize("name", COURSES)
def test_model_loads_in_transformers(name: str) -> None:
    """Each is a Llama of six layers with a tokenizer that reads its words."""
    model = AutoModelForCausalLM.from_pretrained(ZOO / name)
    tokenizer = AutoTokenizer.from_pretrained(ZOO / name)

    assert "llama" == model.config.model_type
    assert 6 == model.config.num_hidden_layers
    assert make_tokenizer().get_vocab() == tokenizer.get_vocab()
    assert "cuarenta y dos" == tokenizer.decode(
        tokenizer("cuarenta y dos").input_ids, skip_special_tokens=True
    )


def test_zoo_is_small_enough_for_git() -> None:
    """All weights together stay below 25 MB."""
    assert 25e6 > sum(path.stat().st_size for path in ZOO.rglob("*") if path.is_file())


def test_batch_teaches_answers_only() -> None:
    """Labels are the answer and the end; questions and padding have none."""
    words = {word: i for i, word in enumerate(vocabulary())}
    ids, labels = batch([Example("say two in english :", "two"), Example("two ,", "three")], words)

    assert [words[w] for w in ("<bos>", "two", ",", "three", "<eos>")] == ids[1, :5].tolist()
    assert [-100, -100, -100, words["three"], words["<eos>"]] == labels[1, :5].tolist()
    assert [words["<pad>"]] * 3 == ids[1, 5:].tolist()
    assert [-100] * 3 == labels[1, 5:].tolist()
