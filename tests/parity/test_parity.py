"""``germline evaluate`` and lm_eval's command line agree, item by item.

Outside the list "where scores may differ from lm_eval's" in docs/tasks.md, prompts, texts, choices
and scores are equal, and log-likelihoods within the bound that the list gives. lm_eval's batches
hold one request, germline's several.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.parity import (
    further_tasks,
    kinds_of_model,
    kinds_of_task,
    long_prompts,
    published_tasks,
    rarer_tasks,
    task_forms,
)
from tests.parity.both_sides import CHAT, PLAIN, Settings, compare

pytestmark = pytest.mark.parity

MORE_TASKS: dict[str, tuple[Callable[[Path], list[str]], Iterable[str]]] = {
    # Lists of targets, rendered choices, examples of all sources, deep imports, own metrics.
    "rarer": (rarer_tasks.write_rarer_tasks, rarer_tasks.RARER),
    # Tables and folders of data, answers as numbers, letters and functions, odd texts.
    "forms": (task_forms.write_task_forms, task_forms.FORMS),
    # Own metrics, aggregations, filters, samplers, examples, templates, stops, data.
    "further": (further_tasks.write_further_tasks, further_tasks.FURTHER),
    # lm-eval's own files and Python: ARC, GSM8K, MMLU, BBH, GPQA, SuperGLUE and others.
    "published": (published_tasks.write_published, published_tasks.PUBLISHED),
}

# Attention, window, state and mixtures with a chat template, a system prompt and examples, too.
CONVERSING = ("llama", "gemma3", "gpt2", "mamba", "falcon_h1")
# lm_eval fails on these, too: RWKV's state is not re-ordered for beams, and the Python of a task
# that changes its documents gets the same ones again as examples.
WITHOUT_BEAMS = "rwkv"
CHANGES_ITS_EXAMPLES = "written_functions"
CUT = Settings(model_args=(f"max_length={long_prompts.CONTEXT}", "truncation=True"))
SCORED_ALIKE_IN_ANY_BATCH = ("written", "choice_texts", "rolled_words", "said")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder of tasks and data, and the texts of the data."""
    folder = tmp_path_factory.mktemp("parity")
    return folder, kinds_of_task.write_tasks(folder)


@pytest.fixture
def at_tasks(texts: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of tasks as the working folder."""
    monkeypatch.chdir(texts[0])
    return texts[0]


def model(name: str, texts: tuple[Path, list[str]]) -> Path:
    """Return the folder of a model, written once."""
    folder = texts[0] / "models" / name
    if not folder.is_dir():
        kinds_of_model.write_kind(name, folder, texts[1])
    return folder


@pytest.mark.usefixtures("at_tasks")
@pytest.mark.parametrize("name", [*kinds_of_model.KINDS, *kinds_of_model.DECODING])
def test_every_task_on_each_kind_of_model(
    texts: tuple[Path, list[str]], tmp_path: Path, name: str
) -> None:
    """Every kind of task, in one call on each side."""
    tasks = list(kinds_of_task.KINDS)
    if name in kinds_of_model.DECODING:  # it decides how texts are written, and nothing else
        tasks = [task for task in tasks if task.startswith("written")]
    if name == WITHOUT_BEAMS:
        tasks.remove("written_beams")
    differences = compare(model(name, texts), tasks, PLAIN, tmp_path)
    print(f"{name}: {differences.num_items} items of {len(tasks)} tasks compared")
    assert differences.lines == []
    assert differences.num_items >= len(tasks) * kinds_of_task.NUM_DOCS / 2


@pytest.mark.usefixtures("at_tasks")
@pytest.mark.parametrize("name", CONVERSING)
def test_chat_templates_and_examples(
    texts: tuple[Path, list[str]], tmp_path: Path, name: str
) -> None:
    """The same with a chat template, a system prompt and an example as a turn."""
    tasks = [task for task in kinds_of_task.KINDS if not task.startswith("rolled")]
    tasks.remove(CHANGES_ITS_EXAMPLES)
    differences = compare(model(name, texts), tasks, CHAT, tmp_path)
    print(f"{name}, chat: {differences.num_items} items of {len(tasks)} tasks compared")
    assert differences.lines == []


@pytest.mark.usefixtures("at_tasks")
@pytest.mark.parametrize("task", kinds_of_task.DRAWING)
def test_tasks_that_draw(texts: tuple[Path, list[str]], tmp_path: Path, task: str) -> None:
    """Prompts, documents and scores that are drawn are those of lm_eval with the task alone."""
    differences = compare(model("llama", texts), [task], PLAIN, tmp_path)
    assert differences.lines == []
    assert differences.num_items == kinds_of_task.NUM_DOCS


@pytest.mark.parametrize("name", ["llama", "gemma3", "mamba"])
@pytest.mark.parametrize("kinds", MORE_TASKS)
def test_more_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kinds: str
) -> None:
    """What the zoo and the kinds above do not have."""
    monkeypatch.chdir(tmp_path)
    write, tasks = MORE_TASKS[kinds]
    context = published_tasks.CONTEXT if kinds == "published" else kinds_of_model.CONTEXT
    folder = kinds_of_model.write_kind(name, tmp_path / name, write(tmp_path), context=context)
    _compare_all(tmp_path, folder, list(tasks))


@pytest.mark.parametrize("name", ["llama", "gemma3", "gpt2", "mamba"])
def test_prompts_that_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Before, at and after the end of the context, log-likelihoods and texts, and no context.

    GPT-2's tokenizer has a limit of its own, at which it cuts prompts of texts from the right.
    """
    monkeypatch.chdir(tmp_path)
    texts = long_prompts.write_long_prompts(tmp_path)
    folder = kinds_of_model.write_kind(name, tmp_path / name, texts)
    if name == "gpt2":
        file = folder / "tokenizer_config.json"
        limited = json.loads(file.read_text()) | {"model_max_length": long_prompts.CONTEXT - 4}
        file.write_text(json.dumps(limited))
    _compare_all(tmp_path, folder, list(long_prompts.TASKS), CUT)


def _compare_all(
    folder: Path, model_folder: Path, tasks: list[str], settings: Settings = PLAIN
) -> None:
    differences = compare(model_folder, tasks, settings, folder)
    name = model_folder.name
    print(f"{name}: {differences.num_items} items of {len(tasks)} tasks compared")
    assert differences.lines == []


@pytest.mark.usefixtures("at_tasks")
def test_another_batch_size_changes_nothing(texts: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Batches of one and of all."""
    for batch_size in (1, 64):
        out = tmp_path / str(batch_size)
        out.mkdir()
        settings = Settings(batch_size=batch_size)
        tasks = SCORED_ALIKE_IN_ANY_BATCH
        assert compare(model("gemma3", texts), tasks, settings, out).lines == []
