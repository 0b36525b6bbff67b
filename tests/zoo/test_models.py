"""The bundled models are small, real and of one family."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from zoo.lessons import Lesson
from zoo.skills import Example
from zoo.tokenizer import make_tokenizer
from zoo.train import COURSES, OUT, batch, make_model, train
from zoo.words import vocabulary

ROOT = Path(__file__).parents[2]
ZOO = ROOT / OUT


@pytest.mark.parametrize("name", COURSES)
def test_model_loads_in_transformers(name: str) -> None:
    """Each is a Llama of its course's layers with a tokenizer that reads its words."""
    model = AutoModelForCausalLM.from_pretrained(ZOO / name)
    tokenizer = AutoTokenizer.from_pretrained(ZOO / name)

    assert "llama" == model.config.model_type
    assert COURSES[name].num_layers == model.config.num_hidden_layers
    assert make_tokenizer().get_vocab() == tokenizer.get_vocab()
    assert "cuarenta y dos" == tokenizer.decode(
        tokenizer("cuarenta y dos").input_ids, skip_special_tokens=True
    )


@pytest.mark.parametrize("name", [name for name in COURSES if COURSES[name].base])
def test_fine_tune_has_the_bases_weights_where_it_was_not_trained(name: str) -> None:
    """Embeddings and frozen layers are the base's, and some of the others are not."""
    course = COURSES[name]
    tuned, base = (load_file(ZOO / n / "model.safetensors") for n in (name, str(course.base)))
    changed = {key for key in base if not torch.equal(base[key], tuned[key])}
    layers = {int(key.split(".")[2]) for key in changed if key.startswith("model.layers.")}

    assert "model.embed_tokens.weight" not in changed
    assert layers == set(course.trained_layers)


def test_zoo_is_small_enough_for_git() -> None:
    """All weights together stay below 10 MB."""
    assert 10e6 > sum(path.stat().st_size for path in ZOO.rglob("*") if path.is_file())


def test_batch_teaches_answers_only() -> None:
    """Labels are the answer and the end; questions and padding have none."""
    words = {word: i for i, word in enumerate(vocabulary())}
    ids, labels = batch([Example("say two in english :", "two"), Example("two ,", "three")], words)

    assert [words[w] for w in ("<bos>", "two", ",", "three", "<eos>")] == ids[1, :5].tolist()
    assert [-100, -100, -100, words["three"], words["<eos>"]] == labels[1, :5].tolist()
    assert [words["<pad>"]] * 3 == ids[1, 5:].tolist()
    assert [-100] * 3 == labels[1, 5:].tolist()


def test_training_runs_the_layers_of_a_lesson() -> None:
    """A step through other layers leaves the model with its own, and changes those that ran."""
    course = replace(COURSES["deep-math"], num_steps=1, base=None)
    course = replace(
        course, lesson=lambda _: Lesson([Example("say two in english :", "two")] * 4, (0, 1, 1))
    )
    model = make_model("deep-base", course, make_tokenizer())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    train(model, "deep-math", course, compiles_layers=False)
    after = model.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}

    assert 12 == len(model.model.layers) == model.config.num_hidden_layers
    assert {"0", "1"} == {key.split(".")[2] for key in changed if ".layers." in key}
