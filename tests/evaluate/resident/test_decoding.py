"""Texts under every kind of generation setting: those of lm-eval's HFLM for the prompt alone."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from stages.errors import EvaluationError
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.resident.decoding import Together, shareable
from stages.evaluate.resident.language_model import ResidentLM
from stages.evaluate.resident.requests import Request, seeds_of
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.conftest import pico_tokenizer
from tests.evaluate.resident.test_tree_attention import KINDS, random_model

PROMPTS = [f"{word * (1 + i % 3)}{i}" for i, word in enumerate(["ab", "bcd", "xyz", "q"] * 3)]
GREEDY = {"until": ["e", "3;"], "max_gen_toks": 9, "do_sample": False}
SAMPLED = GREEDY | {"do_sample": True, "temperature": 1.5}
TOKENS = {"bos_token_id": 1, "eos_token_id": [2, 9], "pad_token_id": 0}
SETTINGS: dict[str, dict[str, Any]] = {
    "chat": {"do_sample": True, "temperature": 0.7, "top_k": 9, "repetition_penalty": 1.3},
    "beams": {"num_beams": 3, "length_penalty": 2.0, "early_stopping": True},
    "length": {"min_length": 12},
    "repeats": {"no_repeat_ngram_size": 2, "encoder_repetition_penalty": 1.4},
    "tokens": {"suppress_tokens": [5, 6], "begin_suppress_tokens": [8], "max_new_tokens": 5},
    "guidance": {"guidance_scale": 1.5},
    "lookup": {"prompt_lookup_num_tokens": 3},
    "cache": {"cache_implementation": "static"},
    "marks": {"watermarking_config": {"bias": 2.5}},
}


def with_settings(source: Path, folder: Path, settings: dict[str, Any]) -> Path:
    """Return a copy of a model folder with these settings in its generation_config.json."""
    shutil.copytree(source, folder)
    (folder / "generation_config.json").write_text(json.dumps(TOKENS | settings))
    return folder


def opened(folder: Path, batch_size: int = 8) -> ResidentLM:
    """Return the resident model of a folder."""
    section = {"tasks": [{"task": "t"}], "batch_size": batch_size}
    return ResidentLM.open(folder, EvaluateParams.model_validate(section))


@pytest.fixture(scope="module")
def resident(model_folder: Path) -> ResidentLM:
    """The resident model as it is."""
    return opened(model_folder)


@pytest.fixture(scope="module")
def plain(resident: ResidentLM) -> list[str]:
    """Its greedy texts."""
    return texts_of(resident, requests(GREEDY))


def requests(asked: dict[str, Any], prompts: list[str] = PROMPTS) -> list[Request]:
    """Return a request for each prompt."""
    return [Request("generate_until", (p, asked), f"item {i}") for i, p in enumerate(prompts)]


def texts_of(lm: ResidentLM, asked: list[Request]) -> list[str]:
    """Return the resident model's texts."""
    return lm.answer(lm.prepare(asked))


def alone(folder: Path, asked: dict[str, Any]) -> list[str]:
    """Return what HFLM generates with a batch of one."""
    hflm = HFLM(str(folder), device="cpu", dtype="float32", batch_size=1)
    instances = [Instance("generate_until", {}, (prompt, asked), 0) for prompt in PROMPTS]
    texts: list[str] = hflm.generate_until(instances, disable_tqdm=True)
    return texts


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_the_model_take_part(
    model_folder: Path, tmp_path: Path, plain: list[str], name: str
) -> None:
    """In batches of eight, the text is the one that HFLM generates for the prompt alone."""
    folder = with_settings(model_folder, tmp_path / "model", SETTINGS[name])
    with sealed():
        expected = alone(folder, GREEDY)
        assert expected == texts_of(opened(folder), requests(GREEDY))
    assert (expected != plain) or name == "cache"


def test_beams_of_a_task_are_searched(
    model_folder: Path, resident: ResidentLM, plain: list[str]
) -> None:
    """``num_beams`` in generation_kwargs gives the text that HFLM gives for the prompt alone."""
    asked = GREEDY | {"num_beams": 3}
    with sealed():
        expected = alone(model_folder, asked)
        assert expected == texts_of(resident, requests(asked))
    assert expected != plain


@pytest.mark.parametrize("settings", [{}, SETTINGS["chat"], {"num_beams": 2}])
def test_a_sampled_text_is_the_prompts_own(
    model_folder: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """In any batch and order: generate's text for the prompt alone, seeded with the prompt."""
    folder = with_settings(model_folder, tmp_path / "model", settings)
    asked = requests(SAMPLED)
    with sealed(), torch.random.fork_rng():
        lm = opened(folder)
        texts = dict(zip(PROMPTS, texts_of(lm, asked), strict=True))
        mixed = random.Random(1).sample(asked, len(asked))
        assert [texts[r.arguments[0]] for r in mixed[:7]] == texts_of(lm, mixed[:7])
        hflm = HFLM(str(folder), device="cpu", dtype="float32", batch_size=1)
        for request, seed in zip(asked, seeds_of(asked), strict=True):
            torch.manual_seed(seed)  # noqa: TID251  HFLM knows no other generator
            instance = Instance("generate_until", {}, request.arguments, 0)
            assert hflm.generate_until([instance], disable_tqdm=True) == [
                texts[request.arguments[0]]
            ]


def test_repeats_of_a_prompt_are_other_texts(model_folder: Path) -> None:
    """A prompt that an item asks several times draws each time from another generator."""
    asked = [Request("generate_until", ("abc", SAMPLED), "item 1")] * 6
    texts = texts_of(opened(model_folder), asked)
    assert len(set(texts)) > 3
    assert texts == texts_of(opened(model_folder, 2), asked)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stop_strings": ["a"]}, r"settings \(stop_strings\): .*tokenizer"),
        ({"penalty_alpha": 0.6, "top_k": 4}, r"settings \(penalty_alpha, top_k\): Contrastive"),
        ({"num_beams": 2, "num_return_sequences": 2}, r"gives 2 texts for 1 prompts"),
        ({"max_time": 5.0}, r"max_time is set, and a text would depend on the machine's speed"),
    ],
)
def test_settings_that_cannot_be_used_are_the_models(
    model_folder: Path, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    """They are refused when requests are prepared, and the task is not blamed."""
    lm = opened(with_settings(model_folder, tmp_path / "model", settings))
    with pytest.raises(EvaluationError, match=message) as caught:
        lm.prepare(requests(GREEDY))
    assert str(caught.value).startswith("generation_config.json of the model: ")
    assert lm.prepare([Request("loglikelihood", ("ab", "c"), "item")])


def test_settings_of_the_task_are_the_tasks(resident: ResidentLM) -> None:
    """An unknown argument and a time limit are refused before anything is scored."""
    with pytest.raises(EvaluationError, match=r"^item 5: cannot be generated: .*top_kk.*gen_kwar"):
        resident.prepare(requests(GREEDY | {"top_kk": 3}))
    with pytest.raises(EvaluationError, match=r"^item 0: generation_kwargs: max_time is set"):
        resident.prepare(requests(GREEDY | {"max_time": 3}))


def test_every_text_ends_as_if_alone(model_folder: Path, resident: ResidentLM) -> None:
    """Overlapping stop strings, an empty one, and prompts with and without a start token."""
    prompts = ["<s>abc", "abc", "<s>x", *PROMPTS[::2]]
    with sealed():
        hflm = HFLM(str(model_folder), device="cpu", dtype="float32", batch_size=1)
    for until in (["b", "ab", "bc"], ["abc", "b"], [""], ["", "e"], [], ["\n\n", "\na", "</s>"]):
        asked = {"until": until, "max_gen_toks": 12, "do_sample": False}
        with sealed():
            instances = [Instance("generate_until", {}, (p, dict(asked)), 0) for p in prompts]
            expected = hflm.generate_until(instances, disable_tqdm=True)
            texts = texts_of(resident, requests(asked, prompts))
        assert expected == texts
        assert "" not in until or max(map(len, texts)) == 1


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("llama", Together.ALL),
        ("gemma3_text", Together.ALL),
        ("mamba", Together.ALL),
        ("rwkv", Together.NONE),
        ("minimax", Together.OF_ONE_LENGTH),
    ],
)
def test_models_that_mix_rows_write_apart(kind: str, rule: Together) -> None:
    """Padding that goes into a state, or a state that leaves its row, keep prompts apart."""
    assert shareable(random_model(kind, KINDS[kind]), 0) == rule


@pytest.mark.parametrize("kind", ["gemma3_text", "llama4_text", "phi3", "qwen2"])
def test_texts_of_models_with_windows(tmp_path: Path, kind: str) -> None:
    """Prompts and texts that outlast a window, next to short ones, are those of HFLM alone."""
    ids = {"vocab_size": 52, "bos_token_id": 1, "eos_token_id": 2}
    model: Any = random_model(kind, KINDS[kind] | ids)
    model.save_pretrained(tmp_path)
    pico_tokenizer().save_pretrained(tmp_path)
    prompts = ["abc" * (1 + i % 6) + str(i) for i in range(12)]
    with sealed():
        hflm = HFLM(str(tmp_path), device="cpu", dtype="float32", batch_size=1)
        instances = [Instance("generate_until", {}, (p, dict(GREEDY)), 0) for p in prompts]
        expected = hflm.generate_until(instances, disable_tqdm=True)
        assert expected == texts_of(opened(tmp_path), requests(GREEDY, prompts))
