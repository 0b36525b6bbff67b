"""Models by lm_eval's model string, against the resident one on the same weights."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from stages.errors import EvaluationError, ParamsError
from stages.evaluate import stage
from stages.evaluate.backends import lm_eval_model
from stages.evaluate.backends.lm_eval_model import Asked, NativeLM, check_answers
from stages.evaluate.backends.weight_reloading import reload_vllm
from stages.evaluate.evaluator import Evaluator
from stages.lineage.evaluation import Evaluation
from stages.params.evaluate_params import EvaluateParams
from stages.params.model_params import ModelParams
from tests.evaluate.conftest import suite_of

pytestmark = pytest.mark.usefixtures("at_project")

MakeParams = Callable[..., EvaluateParams]
ALL = ("colours", "sums", "prose")
HF = {"model": "hf", "model_args": {"dtype": "float32"}}


def rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return which items were scored, in order."""
    return [(row.task, row.item) for row in evaluation.items]


def test_scores_of_lm_evals_own_class_are_the_resident_ones(
    make_params: MakeParams, model_folder: Path
) -> None:
    """lm_eval's HFLM on the written folder gives the items and scores of the resident model."""
    resident = stage.run(model_folder, make_params(*ALL, num_fewshot=1), "search")
    evaluation = stage.run(model_folder, make_params(*ALL, num_fewshot=1, backend=HF), "search")

    assert rows(resident) == rows(evaluation)
    assert [i.score for i in resident.items if i.task != "prose"] == [
        i.score for i in evaluation.items if i.task != "prose"
    ]
    assert pytest.approx([t.score for t in resident.tasks], rel=1e-5) == [
        t.score for t in evaluation.tasks
    ]


def test_dtype_is_the_backends_own_argument(make_params: MakeParams, model_folder: Path) -> None:
    """In bfloat16 the same class gives other likelihoods than in float32."""
    half = {"model": "hf", "model_args": {"dtype": "bfloat16"}}
    exact, rounded = (
        stage.run(model_folder, make_params("prose", backend=backend), "search").tasks[0].score
        for backend in (HF, half)
    )
    assert exact != rounded
    assert pytest.approx(exact, rel=0.05) == rounded


def test_each_candidate_is_scored_afresh(
    make_params: MakeParams, model_folder: Path, other_model_folder: Path
) -> None:
    """A, then B, then A on one backend: A's rows are equal, B's are those of B alone."""
    params = make_params("colours", "sums", backend=HF)
    suite = suite_of(params)
    assert params.backend is not None
    engine = NativeLM(
        params.backend, "evaluate.backend", device=params.device, batch_size=params.batch_size
    )
    evaluator = Evaluator(engine, params, suite)
    evaluations = []
    for folder in (model_folder, other_model_folder, model_folder):
        engine.load(folder)
        evaluations.append(evaluator.evaluate("search").to_dict())
    assert evaluations[0] == evaluations[2]
    assert evaluations[0] != evaluations[1]
    assert evaluations[1] == stage.run(other_model_folder, params, "search").to_dict()


def test_some_items_are_scored_as_in_the_whole(
    make_params: MakeParams, model_folder: Path
) -> None:
    """A subset of the items has the scores that they have in the whole split."""
    params = make_params("colours", backend=HF)
    suite = suite_of(params)
    assert params.backend is not None
    engine = NativeLM(
        params.backend, "evaluate.backend", device=params.device, batch_size=params.batch_size
    )
    engine.load(model_folder)
    evaluator = Evaluator(engine, params, suite)
    whole = evaluator.evaluate("search")
    some = suite.items("search")[:4]
    assert whole.items[:4] == evaluator.evaluate("search", some).items


def test_nan_weights_are_a_failure_that_names_the_item(
    make_params: MakeParams, model_folder: Path, tmp_path: Path
) -> None:
    """A candidate whose weights are NaN has no score; its item and task are named."""
    for path in model_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    broken = {name: torch.full_like(value, float("nan")) for name, value in tensors.items()}
    save_file(broken, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(EvaluationError, match=r"task colours, item [0-9a-f]{16}: .* is nan"):
        stage.run(tmp_path, make_params("colours", backend=HF), "search")


def test_a_model_that_lacks_weights_is_refused(
    make_params: MakeParams, model_folder: Path, tmp_path: Path
) -> None:
    """As by the resident model, for candidates and references: not as a candidate's fault."""
    folder = shutil.copytree(model_folder, tmp_path / "gap")
    tensors = load_file(folder / "model.safetensors")
    gap = next(name for name in tensors if name.endswith("q_proj.weight"))
    rest = {name: tensor for name, tensor in tensors.items() if name != gap}
    save_file(rest, folder / "model.safetensors", {"format": "pt"})
    said = rf"^evaluate.backend: model gap: its weights lack \S*{gap}, for which"
    with pytest.raises(ParamsError, match=said):
        stage.run(folder, make_params("colours", backend=HF), "search")
    asked = ModelParams(model="hf", model_args={"pretrained": str(folder)})
    reference = NativeLM(asked, "evaluate.references.gap", device="cpu", batch_size=1)
    with pytest.raises(EvaluationError, match=r"^evaluate.references.gap: model gap: its"):
        reference.open()


@pytest.mark.parametrize(
    ("kind", "answers", "message"),
    [
        ("generate_until", ["a"], "i0 and the rest of its task: 1 answers to 2 requests"),
        ("generate_until", ["a", None], "i1: the model gives no text, but None. There"),
        ("loglikelihood", [(-1.0, True), (float("nan"), True)], "i1: .* is nan"),
        ("loglikelihood_rolling", [-1.0, None], "i1: .* is None"),
    ],
)
def test_answer_that_is_none_is_refused(kind: str, answers: list[Any], message: str) -> None:
    """What is missing, no text or no number is named with its item."""
    with pytest.raises(EvaluationError, match=message):
        check_answers(Asked(kind, (), ("i0", "i1")), answers)


def test_empty_text_is_an_answer() -> None:
    """A model may end at once; so does the resident one."""
    check_answers(Asked("generate_until", (), ("i0",)), [""])


def test_folder_without_a_model_is_named(make_params: MakeParams, tmp_path: Path) -> None:
    """What the class says of a folder that it cannot load is the run's fault, in one message."""
    with pytest.raises(ParamsError, match=r"evaluate\.backend: hf cannot be loaded: "):
        stage.run(tmp_path, make_params("sums", backend=HF), "search")


class Engine:
    """vLLM's LLM, as far as it is called: the signatures are those of vLLM 0.19.1 and 0.33."""

    def __init__(self, lm: Any, drops: bool = True) -> None:
        self.lm = lm
        self.drops = drops
        self.resets = 0

    def collective_rpc(
        self,
        method: str,
        timeout: float | None = None,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> list[Any]:
        """Call a method of the only worker."""
        assert timeout is None
        return [getattr(self, method)(*args, **kwargs or {})]

    def reload_weights(
        self,
        weights_iterator: object = None,
        weights_path: str | None = None,
        is_checkpoint_format: bool = True,
    ) -> None:
        """Copy the folder's weights over the model's, as the worker does."""
        assert weights_iterator is None
        assert is_checkpoint_format
        assert weights_path is not None
        assert Path(weights_path).is_absolute()
        tensors = load_file(Path(weights_path) / "model.safetensors")
        with torch.no_grad():
            for name, weights in self.lm.model.named_parameters():
                weights.copy_(tensors[name])

    def reset_prefix_cache(
        self, reset_running_requests: bool = False, reset_connector: bool = False
    ) -> bool:
        """Count the call."""
        assert not reset_running_requests
        assert not reset_connector
        self.resets += 1
        return self.drops


class StandIn:
    """lm_eval's VLLM, as far as it is called: an HFLM whose ``model`` is the engine."""

    count = 0

    def __init__(self, pretrained: str, **given: Any) -> None:
        from lm_eval.models.huggingface import HFLM

        type(self).count += 1
        self._lm = HFLM(pretrained, **given)
        self.model = Engine(self._lm)

    @classmethod
    def create_from_arg_obj(cls, given: dict[str, Any]) -> "StandIn":
        """Make one, as lm_eval's classes do."""
        return cls(**given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lm, name)


def test_running_engine_is_given_each_candidates_weights(
    make_params: MakeParams,
    model_folder: Path,
    other_model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With vllm one engine is made for all candidates, and each has the scores of its weights."""
    alone = make_params("colours", "sums", backend=HF)
    folders = (model_folder, other_model_folder, model_folder)
    first, other = (stage.run(folder, alone, "search").to_dict() for folder in folders[:2])
    monkeypatch.setattr(lm_eval_model, "model_class", lambda *_: StandIn)
    monkeypatch.setattr(StandIn, "count", 0)
    monkeypatch.delenv("VLLM_ENABLE_V1_MULTIPROCESSING", raising=False)
    params = make_params("colours", "sums")
    backend = make_params("colours", backend={**HF, "model": "vllm"}).backend
    assert backend is not None
    engine = NativeLM(
        backend, "evaluate.backend", device=params.device, batch_size=params.batch_size
    )
    evaluator = Evaluator(engine, params, suite_of(params))
    evaluations = []
    for folder in folders:
        engine.load(folder)
        evaluations.append(evaluator.evaluate("search").to_dict())
    assert [first, other, first] == evaluations
    assert 1 == StandIn.count
    assert 2 == engine._lm.model.resets


def test_engine_that_keeps_its_prefix_cache_is_refused(model_folder: Path) -> None:
    """What was computed with the weights before may not answer for the weights now."""
    engine = StandIn(str(model_folder), device="cpu", batch_size=1)
    engine.model.drops = False
    with pytest.raises(EvaluationError, match="enable_prefix_caching: false"):
        reload_vllm(engine, model_folder)
