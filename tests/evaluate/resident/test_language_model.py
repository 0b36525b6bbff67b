"""The prepared model against lm-eval's HFLM on the same requests, without a command line."""

import json
import shutil
import string
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from safetensors.torch import load_file, save_file

from stages.errors import EvaluationError
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.resident.language_model import ResidentLM
from stages.evaluate.resident.requests import Request
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.conftest import ALPHABET
from tests.slow_cases import with_slow

WORDS = [string.ascii_lowercase[i : i + 3 + i % 5] for i in range(20)]
TARGETS = [" a", " b", " bc", " bcd", "0", "1", " a", "xyz", "xq2", "pqrst"]
TEXT = "".join(chr(97 + i * i * i % 23) + str(i * 7 % 9) for i in range(60))
PAIRS = [(f"{word}{i}", target) for i, word in enumerate(WORDS) for target in TARGETS]
ASKED = {"until": ["e", "3;", "1"], "max_gen_toks": 10, "do_sample": False}
SHARED = [(word, letter) for word in WORDS[:8] for letter in ALPHABET]
REQUESTS: dict[str, list[tuple[Any, ...]]] = {
    "loglikelihood": [*PAIRS, *SHARED, ("", "abc"), ("ends in space ", "x"), ("", "<s>abc")],
    "loglikelihood_rolling": [(word + TEXT[i : 5 * i],) for i, word in enumerate(WORDS)],
    "generate_until": [
        (word * (1 + i % 4), ASKED | ({"max_gen_toks": 5} if i % 3 else {}))
        for i, word in enumerate(WORDS)
    ],
}


ARGUMENTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "cut": {"max_length": 13, "truncation": True},
    "bos": {"add_bos_token": True, "logits_cache": False},
}
CASES = {
    f"{kind}-{name}-{batch_size}": (kind, ARGUMENTS[name], batch_size)
    for kind in REQUESTS
    for name in ARGUMENTS
    for batch_size in (1, 3, 64)
}
SLOW = [case for case in CASES if "-defaults-" not in case and not case.endswith("-3")]


@pytest.mark.parametrize("case", with_slow(CASES, SLOW))
def test_answers_equal_those_of_hflm(model_folder: Path, case: str) -> None:
    """Every text is equal, every log-likelihood within 1e-5, in the order of the requests."""
    kind, arguments, batch_size = CASES[case]
    asked = REQUESTS[kind]
    params = EvaluateParams.model_validate(
        {"tasks": [{"task": "t"}], "model_args": arguments, "batch_size": batch_size}
    )
    with sealed():
        hflm = HFLM(
            str(model_folder), device="cpu", dtype="float32", batch_size=batch_size, **arguments
        )
        expected = getattr(hflm, kind)(
            [Instance(kind, {}, request, 0) for request in asked], disable_tqdm=True
        )
        resident = ResidentLM.open(model_folder, params)
        prepared = resident.prepare([Request(kind, request, "item") for request in asked])
        answers = resident.answer(prepared)
        assert answers == resident.answer(prepared)
    if kind == "generate_until":
        assert expected == answers
        assert len(set(answers)) > 10
    elif kind == "loglikelihood":
        assert [greedy for _, greedy in expected] == [greedy for _, greedy in answers]
        assert {True, False} == {greedy for _, greedy in answers}
        assert pytest.approx([v for v, _ in expected], abs=1e-5) == [v for v, _ in answers]
    else:
        assert pytest.approx(expected, rel=1e-5) == answers


@pytest.mark.parametrize("kind", REQUESTS)
def test_answers_in_16_bits_are_those_of_hflm_but_for_rounding(
    model_folder: Path, kind: str
) -> None:
    """In bfloat16 nearly all texts and greedy answers are equal, log-likelihoods within 1 %."""
    params = EvaluateParams.model_validate(
        {"tasks": [{"task": "t"}], "model_args": {"dtype": "bfloat16"}, "batch_size": 8}
    )
    with sealed():
        hflm = HFLM(str(model_folder), device="cpu", dtype="bfloat16", batch_size=8)
        instances = [Instance(kind, {}, request, 0) for request in REQUESTS[kind]]
        expected = getattr(hflm, kind)(instances, disable_tqdm=True)
        resident = ResidentLM.open(model_folder, params)
        prepared = resident.prepare([Request(kind, r, "item") for r in REQUESTS[kind]])
        answers = resident.answer(prepared)
    assert next(resident.model.parameters()).dtype == torch.bfloat16
    if kind == "loglikelihood":
        assert any(batch.depths is not None for batch in prepared.tokens)
        assert pytest.approx([v for v, _ in expected], rel=0.01, abs=0.1) == [
            v for v, _ in answers
        ]
    if kind == "loglikelihood_rolling":
        assert pytest.approx(expected, rel=0.01) == answers
    else:
        agree = [
            e == f if isinstance(e, str) else e[1] == f[1]
            for e, f in zip(expected, answers, strict=True)
        ]
        assert sum(agree) >= 0.95 * len(agree)


@pytest.mark.parametrize("ends", [None, 7])
def test_model_without_the_tokenizers_end_token(
    model_folder: Path, tmp_path: Path, ends: int | None
) -> None:
    """Where the model's config names no end, or another, texts are those of HFLM for a prompt."""
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    for name in ("config.json", "generation_config.json"):
        config = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(config | {"eos_token_id": ends}))
    asked = [(word, {"until": ["a"], "max_gen_toks": 20}) for word in WORDS]
    params = EvaluateParams.model_validate({"tasks": [{"task": "t"}], "batch_size": 2})
    with sealed():
        hflm = HFLM(str(folder), device="cpu", dtype="float32", batch_size=1)
        instances = [Instance("generate_until", {}, request, 0) for request in asked]
        resident = ResidentLM.open(folder, params)
        prepared = resident.prepare([Request("generate_until", a, "item") for a in asked])
        assert hflm.generate_until(instances, disable_tqdm=True) == resident.answer(prepared)


def test_a_model_that_lacks_weights_is_refused(model_folder: Path, tmp_path: Path) -> None:
    """Random numbers would fill the gap, and the scores would mean nothing."""
    folder = shutil.copytree(model_folder, tmp_path / "gap")
    tensors = load_file(folder / "model.safetensors")
    gap = [name for name in tensors if name.endswith(("q_proj.weight", "o_proj.weight"))]
    rest = {name: tensor for name, tensor in tensors.items() if name not in gap[:2]}
    save_file(rest, folder / "model.safetensors", {"format": "pt"})
    params = EvaluateParams.model_validate({"tasks": [{"task": "t"}]})

    with sealed(), pytest.raises(EvaluationError, match=r"gap: its weights lack .* and 1 more"):
        ResidentLM.open(folder, params)


def test_a_tensor_of_another_shape_is_named(model_folder: Path, tmp_path: Path) -> None:
    """Both shapes are said; transformers points to a report that nobody sees."""
    folder = shutil.copytree(model_folder, tmp_path / "bent")
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if name.endswith("input_layernorm.weight"))
    tensors[name] = tensors[name][:-1].clone()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    params = EvaluateParams.model_validate({"tasks": [{"task": "t"}]})

    with sealed(), pytest.raises(EvaluationError, match=rf"bent: tensor .*{name} has shape"):
        ResidentLM.open(folder, params)
