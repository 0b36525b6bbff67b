"""The resident evaluator: purity, failures of a candidate, and items that do not fit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from stages.errors import EvaluationError
from stages.evaluate import stage
from stages.evaluate.arguments.prompt_arguments import PromptArguments
from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.conftest import suite_of

pytestmark = pytest.mark.usefixtures("at_project")

MakeParams = Callable[..., EvaluateParams]
ALL = ("colours", "sums", "prose")


def load_weights(evaluator: ResidentEvaluator, folder: Path) -> None:
    """Replace the resident weights in place by those of a written model."""
    tensors = load_file(folder / "model.safetensors")
    with torch.no_grad():
        for name, weights in evaluator.model.named_parameters():
            weights.copy_(tensors[name])


def opened(folder: Path, params: EvaluateParams) -> ResidentEvaluator:
    """Return an evaluator of the model in ``folder``."""
    return ResidentEvaluator(folder, params, suite_of(params))


def test_score_depends_on_the_weights_alone(
    make_params: MakeParams, model_folder: Path, other_model_folder: Path
) -> None:
    """A, then B, then A gives equal rows for A, and B's rows are those of B loaded afresh."""
    params = make_params(*ALL, num_fewshot=1)
    evaluator = opened(model_folder, params)
    first = evaluator.evaluate("search")
    load_weights(evaluator, other_model_folder)
    other = evaluator.evaluate("search")
    load_weights(evaluator, model_folder)
    assert first.to_dict() == evaluator.evaluate("search").to_dict()
    assert first.to_dict() != other.to_dict()
    assert other.to_dict() == stage.run(other_model_folder, params, "search").to_dict()


def test_sampled_generation_is_repeatable(make_params: MakeParams, model_folder: Path) -> None:
    """Sampling draws the same numbers each time and leaves torch's generator as it was."""
    params = make_params("sums", gen_kwargs={"do_sample": True, "temperature": 1.5})
    evaluator = opened(model_folder, params)
    state = torch.get_rng_state()
    sampled = evaluator.evaluate("search")
    assert torch.equal(state, torch.get_rng_state())
    assert sampled.to_dict() == evaluator.evaluate("search").to_dict()
    greedy = opened(model_folder, make_params("sums")).evaluate("search")
    assert greedy.to_dict() != sampled.to_dict()


def test_a_task_scores_alike_in_any_company(make_params: MakeParams, model_folder: Path) -> None:
    """Adding a task changes no row of another."""
    alone = opened(model_folder, make_params("sums")).evaluate("test")
    both = opened(model_folder, make_params("colours", "sums")).evaluate("test")
    assert alone.items == tuple(i for i in both.items if i.task == "sums")
    assert alone.tasks == both.tasks[1:]


def test_sharing_rows_changes_no_answer(make_params: MakeParams, model_folder: Path) -> None:
    """Answers that share a row of the batch are scored as in rows of their own."""
    shared = opened(model_folder, make_params("colours")).evaluate("search")
    apart = opened(model_folder, make_params("colours", model_args={"logits_cache": False}))
    assert shared.items == apart.evaluate("search").items


def test_rows_are_in_the_order_of_the_split(make_params: MakeParams, model_folder: Path) -> None:
    """Items come task by task, in the order of the suite's split; the direction is the task's."""
    params = make_params(*ALL)
    suite = suite_of(params)
    evaluation = ResidentEvaluator(model_folder, params, suite).evaluate("search")
    expected = [(part.label, item) for part in suite.parts["search"] for item in part.places]
    assert expected == [(row.task, row.item) for row in evaluation.items]
    assert [True, True, False] == [task.higher_is_better for task in evaluation.tasks]
    assert [10, 10, 10] == [task.num_items for task in evaluation.tasks]


def test_chosen_metric_and_filter_are_scored(make_params: MakeParams, model_folder: Path) -> None:
    """Another metric with an aggregation of its own, and another filter, are taken as named."""
    f1 = {"task": "colours_f1", "metric": "f1"}
    params = make_params(f1, {"task": "sums", "filter": "first"})
    colours, _ = opened(model_folder, params).evaluate("search").tasks
    accuracy = opened(model_folder, make_params("colours")).evaluate("search").tasks[0]
    assert ("f1", accuracy.score) == (colours.metric, colours.score)
    assert pytest.approx(accuracy.stderr, rel=0.3) == colours.stderr
    whole = opened(model_folder, make_params("sums")).evaluate("search").items
    first = opened(model_folder, params).evaluate("search").items[10:]
    assert [i.item for i in whole] == [i.item for i in first]
    assert [i.score for i in whole] != [i.score for i in first]


@pytest.mark.parametrize("task", ALL)
def test_nan_weights_are_a_failure(make_params: MakeParams, model_folder: Path, task: str) -> None:
    """A model that gives NaN has no score; task and item are named, and the next one is scored."""
    evaluator = opened(model_folder, make_params(task))
    before = evaluator.evaluate("search")
    with torch.no_grad():
        next(evaluator.model.parameters()).fill_(float("nan"))
    with pytest.raises(EvaluationError, match=rf"task {task}, item [0-9a-f]{{16}}: the .* NaN"):
        evaluator.evaluate("search")
    load_weights(evaluator, model_folder)
    assert before.to_dict() == evaluator.evaluate("search").to_dict()


def test_item_longer_than_the_context_is_refused(
    make_params: MakeParams, model_folder: Path
) -> None:
    """No prompt is cut in silence; ``truncation`` cuts it as lm-eval does."""
    short = {"max_length": 14}
    for task, what in (("colours", "needs (19|2[0-9]) tokens"), ("sums", "needs 1[0-9] tokens")):
        evaluator = opened(model_folder, make_params(task, model_args=short))
        with pytest.raises(
            EvaluationError, match=rf"task {task}, item .*{what}.*max_length is 14"
        ):
            evaluator.evaluate("search")
        cut = make_params(task, model_args=short | {"truncation": True})
        assert len(opened(model_folder, cut).evaluate("search").items) == 10


def test_arguments_that_generation_does_not_take_are_named(
    make_params: MakeParams, model_folder: Path
) -> None:
    """A typing error in gen_kwargs is one clear message."""
    params = make_params("sums", gen_kwargs={"top_kk": 3})
    with pytest.raises(EvaluationError, match=r"unknown argument 'top_kk'.*evaluate.gen_kwar"):
        opened(model_folder, params).evaluate("search")


def test_sampling_from_nan_is_a_failure_of_the_candidate(
    make_params: MakeParams, model_folder: Path
) -> None:
    """Where sampling itself fails on NaN, the item is named too."""
    params = make_params("sums", gen_kwargs={"do_sample": True, "temperature": 1.5})
    evaluator = opened(model_folder, params)
    with torch.no_grad():
        next(evaluator.model.parameters()).fill_(float("nan"))
    with pytest.raises(EvaluationError, match=r"task sums, item .* logits are NaN"):
        evaluator.evaluate("search")


def test_device_that_is_not_there_is_refused(make_params: MakeParams, model_folder: Path) -> None:
    """No other device is taken in silence."""
    with pytest.raises(EvaluationError, match=r"evaluate\.device: 'cuda:99' is not on this"):
        opened(model_folder, make_params("colours", device="cuda:99"))


def test_room_for_no_prompt_is_refused(make_params: MakeParams, model_folder: Path) -> None:
    """Where the answer alone fills the context, truncation cannot help."""
    arguments = {"max_length": 12, "truncation": True}
    evaluator = opened(model_folder, make_params("sums", model_args=arguments))
    with pytest.raises(EvaluationError, match=r"`gen_kwargs: {max_gen_toks: 16}` on the task"):
        evaluator.evaluate("search")


def test_missing_chat_template_is_refused(make_params: MakeParams, model_folder: Path) -> None:
    """A chat template that the tokenizer does not have is named."""
    with pytest.raises(EvaluationError, match="the tokenizer has no chat template"):
        opened(model_folder, make_params("colours", apply_chat_template=True))
    with pytest.raises(EvaluationError, match=r"no template 'rag'\. Legal: true, false"):
        opened(model_folder, make_params("colours", apply_chat_template="rag"))


def test_chat_template_wraps_the_prompt(make_params: MakeParams, model_folder: Path) -> None:
    """With a template, system instruction and question are turns of a conversation."""
    params = make_params("sums", apply_chat_template=True, system_instruction="add")
    template = "{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}"
    evaluator = opened(model_folder, make_params("sums"))
    evaluator._prompt_arguments = PromptArguments.of(params)
    resident: Any = evaluator._lm
    resident.tokenizer.chat_template = template
    ready = evaluator.prepare("search")[0]
    prompts = {asked[0].args[0] for asked in ready.instances.values()}
    assert all(prompt.startswith("s:add;u:") and prompt.endswith("=;") for prompt in prompts)


def test_folder_that_holds_no_model_is_named(make_params: MakeParams, tmp_path: Path) -> None:
    """A model that cannot be loaded is one clear message."""
    with pytest.raises(EvaluationError, match=rf"model {tmp_path.name}: cannot be loaded"):
        opened(tmp_path, make_params("sums"))


def test_unknown_split_is_refused(make_params: MakeParams, model_folder: Path) -> None:
    """Only the three splits can be scored."""
    with pytest.raises(EvaluationError, match="Legal: search, validation, test"):
        opened(model_folder, make_params("sums")).evaluate("train")


def test_evaluation_prints_nothing(
    make_params: MakeParams,
    model_folder: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Neither progress bars nor log lines reach the terminal."""
    opened(model_folder, make_params(*ALL, num_fewshot=1)).evaluate("search")
    assert capfd.readouterr() == ("", "")
