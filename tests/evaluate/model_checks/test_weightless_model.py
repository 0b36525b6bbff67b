"""What is refused before weights are loaded is what the loaded model refuses."""

import shutil
from pathlib import Path

import pytest

from stages.errors import EvaluationError
from stages.evaluate.model_checks.model_check import check_model
from stages.evaluate.model_checks.weightless_model import WeightlessLM
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.resident.language_model import ResidentLM
from stages.evaluate.resident.requests import Request
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.resident.test_language_model import REQUESTS


def params(**changes: object) -> EvaluateParams:
    """Return the section with these keys."""
    return EvaluateParams.model_validate({"tasks": [{"task": "t"}], **changes})


def is_accepted(model: ResidentLM, request: Request) -> bool:
    """Return whether the model can be asked this."""
    try:
        model.prepare([request])
    except EvaluationError:
        return False
    return True


@pytest.mark.parametrize("kind", REQUESTS)
def test_requests_are_refused_as_by_the_model_itself(model_folder: Path, kind: str) -> None:
    """With contexts of several lengths, cut and not, each request has one answer of both."""
    some = [Request(kind, asked, "item") for asked in REQUESTS[kind][::11]]
    with sealed():
        loaded = ResidentLM.open(model_folder, params())
        weightless = WeightlessLM.open(model_folder, params())
        answers = []
        for length in (4, 7, 10, 13, 24):
            for cuts in (False, True):
                for model in (loaded, weightless):
                    model._max_length, model.truncation = length, cuts
                for request in some:
                    answers.append(is_accepted(weightless, request))
                    assert is_accepted(loaded, request) == answers[-1], (request, length, cuts)
    is_cut_into_windows = kind == "loglikelihood_rolling"
    assert set(answers) == ({True} if is_cut_into_windows else {True, False})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"attn_implementation": "flash"}, "attn_implementation is 'flash', which the model"),
        ({"attn_implementation": "flash_attention_2"}, "doesn't seem to be installed"),
        ({"prefix_token_id": 10_000}, "Give a number from 0 to"),
    ],
)
def test_arguments_that_the_model_does_not_take_are_said(
    model_folder: Path, changes: dict[str, object], said: str
) -> None:
    """The message names the argument, and is not about the folder."""
    with pytest.raises(EvaluationError) as caught:
        check_model(model_folder, params(model_args=changes), None)
    assert said in str(caught.value)
    assert "cannot be loaded" not in str(caught.value)


def test_a_folder_that_cannot_be_opened_is_not_blamed_on_an_argument(
    model_folder: Path, tmp_path: Path
) -> None:
    """A tokenizer that is missing is the folder's fault, whatever attention is asked for."""
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder, ignore=shutil.ignore_patterns("token*"))
    with pytest.raises(EvaluationError, match="model model: cannot be loaded") as caught:
        check_model(folder, params(model_args={"attn_implementation": "eager"}), None)
    assert 1 == len(str(caught.value).splitlines())  # transformers says it on five
