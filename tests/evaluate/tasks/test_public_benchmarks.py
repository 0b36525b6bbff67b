"""Known public test sets are named, with the split to use instead; other tasks are not."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stages.evaluate.tasks.public_benchmarks import KNOWN, Benchmark, _known, cautions
from stages.evaluate.tasks.suite import Suite
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.conftest import colour, write_lines

MakeParams = Callable[..., EvaluateParams]

YAML = """
task: {name}
dataset_path: json
dataset_kwargs:
  data_files: {{{files}}}
output_type: multiple_choice
doc_to_text: question
doc_to_choice: ["red", "green", "blue", "black", "white"]
doc_to_target: answer
{splits}
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
"""


@pytest.fixture
def own_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with one data file for any task."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    write_lines(tmp_path / "all.jsonl", [colour(i) for i in range(40)])
    return tmp_path


def write_task(folder: Path, name: str, **splits: str) -> None:
    """Write an lm-eval task whose splits all hold the same file."""
    files = ", ".join(f"{split}: all.jsonl" for split in set(splits.values()))
    lines = "\n".join(f"{key}: {split}" for key, split in splits.items())
    text = YAML.format(name=name, files=files, splits=lines)
    (folder / "tasks" / f"{name}.yaml").write_text(text)


@pytest.mark.parametrize(
    ("name", "splits", "said"),
    [
        ("gsm8k", {"test_split": "test", "training_split": "train"}, "GSM8K. .*its train split"),
        ("gsm8k_cot", {"test_split": "test"}, "its train split"),
        (
            "arc_easy",
            {"test_split": "test", "training_split": "train", "validation_split": "validation"},
            "ARC. .*its train or validation split",
        ),
        ("hellaswag", {"validation_split": "validation", "training_split": "train"}, "HellaSwag"),
        ("mmlu_anatomy", {"test_split": "test"}, "its validation split, or auxiliary_train"),
        ("mmlu_pro_law", {"test_split": "test", "validation_split": "validation"}, "MMLU's valid"),
        ("mgsm_direct_es", {"test_split": "test", "training_split": "train"}, "translated"),
        ("truthfulqa_mc2", {"validation_split": "validation"}, "no other split"),
        ("ifeval", {"test_split": "train"}, "IFEval. .*no other split"),
    ],
)
def test_public_test_set_is_named_with_what_to_use(
    own_project: Path, make_params: MakeParams, name: str, splits: dict[str, str], said: str
) -> None:
    """One sentence names the task, the test set and the split to search on instead."""
    write_task(own_project, name, **splits)

    (caution,) = cautions(Suite.load(make_params(name)))

    assert caution.startswith(f"task {name}: these are items of the public test set")
    assert re.search(said, caution)


@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("colours", {"test_split": "test"}),
        ("gsm8k", {"test_split": "train"}),
        ("arc_easy", {"validation_split": "validation"}),
        ("search_party", {"test_split": "test"}),
    ],
)
def test_other_tasks_and_splits_draw_none(
    own_project: Path, make_params: MakeParams, name: str, splits: dict[str, str]
) -> None:
    """A benchmark's training split and tasks of any other name are what a search is for."""
    write_task(own_project, name, **splits)

    assert () == cautions(Suite.load(make_params(name)))


def test_test_set_that_is_only_read_at_the_end_draws_none(
    own_project: Path, make_params: MakeParams
) -> None:
    """A public test set under splits.test is what it is for; under validation it is not."""
    write_task(own_project, "gsm8k", test_split="test")
    for part, name in enumerate(("one", "two")):
        write_lines(own_project / f"{name}.jsonl", [colour(100 * part + i) for i in range(50, 90)])
        text = (own_project / "tasks/gsm8k.yaml").read_text().replace("all.jsonl", f"{name}.jsonl")
        (own_project / f"tasks/{name}.yaml").write_text(
            text.replace("task: gsm8k", f"task: {name}")
        )
    at_the_end = {"search": "one", "validation": "two", "test": "gsm8k"}
    in_between = {"search": "one", "validation": "gsm8k", "test": "two"}

    assert () == cautions(Suite.load(make_params({"splits": at_the_end})))
    assert 1 == len(cautions(Suite.load(make_params({"splits": in_between}))))


@pytest.mark.parametrize(("stem", "num"), [("gsm8k_test", 1), ("gsm8k_train", 0), ("mine", 0)])
def test_data_file_is_known_by_its_name(
    own_project: Path, make_params: MakeParams, stem: str, num: int
) -> None:
    """A file called as a test set is taken for one, unless it is called its training split."""
    rows = [{"prompt": f"{i}+1", "answer": str(i + 1)} for i in range(30)]
    write_lines(own_project / f"{stem}.jsonl", rows)

    assert num == len(cautions(Suite.load(make_params({"data": f"{stem}.jsonl"}))))


def test_renamed_task_is_known_by_its_data_set() -> None:
    """Another name for a public data set does not hide it."""
    config = SimpleNamespace(
        test_split="test", validation_split=None, training_split=None, dataset_path="openai/gsm8k"
    )
    loaded: Any = SimpleNamespace(name="my_sums", task=SimpleNamespace(config=config))
    part = SimpleNamespace(loaded=loaded)
    suite: Any = SimpleNamespace(parts={"search": (part,), "validation": (part,)})

    assert 1 == len(cautions(suite))


NAMES = {
    "MMLU-Pro": "mmlu_pro_law",
    "MMLU": "global_mmlu_es_anatomy",
    "MGSM": "mgsm_direct_ja",
    "GSM8K": "gsm8k_cot_zeroshot",
    "MATH": "minerva_math_algebra",
    "AIME": "aime24",
    "ARC": "arc_challenge",
    "HellaSwag": "hellaswag",
    "WinoGrande": "winogrande",
    "TruthfulQA": "truthfulqa_gen",
    "HumanEval": "humaneval_plus",
    "MBPP": "mbpp",
    "IFEval": "leaderboard_ifeval",
    "GPQA": "gpqa_main_zeroshot",
    "BIG-Bench Hard": "bbh_zeroshot_navigate",
    "MuSR": "leaderboard_musr_murder_mysteries",
    "PIQA": "piqa",
    "BoolQ": "boolq",
    "OpenBookQA": "openbookqa",
    "CommonsenseQA": "commonsense_qa",
    "Social IQa": "social_iqa",
    "TriviaQA": "triviaqa",
    "Natural Questions": "nq_open",
    "DROP": "drop",
    "SQuAD": "squadv2",
    "LAMBADA": "lambada_openai",
    "XNLI": "xnli_es",
    "XCOPA": "xcopa_it",
    "Belebele": "belebele_spa_Latn",
    "AGIEval": "agieval_lsat_ar",
    "C-Eval": "ceval-valid_law",
}


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_every_known_set_is_found_by_a_task_of_lm_eval(known: Benchmark) -> None:
    """Each entry answers to the name of a task that lm-eval has for it, before any other."""
    assert known is _known(NAMES[known.name], "", known.judged_by[0])


def test_no_known_set_hides_another_task() -> None:
    """Names that only look alike are not taken for a test set."""
    for name in ("archery", "search", "blimp_drop_argument", "mathqa_own", "order", "sums"):
        assert _known(name, "", "test") is None
