"""What is wrong in params.yaml is said at once, all of it, before any work."""

import json
import multiprocessing
import re
import resource
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from flows.pipeline.preflight import check, check_fetched, legal_params
from stages.errors import GermlineError, ParamsError
from stages.params.load import Params
from stages.select.final.baselines import BASELINES

GOOD: dict[str, dict[str, Any]] = {
    "download": {"base": "zoo:base", "parents": {"math": "zoo:math", "order": "zoo:order"}},
    "evaluate": {
        "include_path": "data/tasks",
        "tasks": [{"task": "spanish_arithmetic"}],
        "splits": {"validation": 2, "test": 2},  # prompts are built to be measured
    },
}
LOCAL = {"model": "local-completions", "model_args": {"model": "m", "base_url": "http://h/v1"}}


def params(**sections: dict[str, object]) -> Params:
    """Return good params with sections replaced or extended."""
    data = {name: {**GOOD.get(name, {}), **sections.get(name, {})} for name in Params.model_fields}
    return Params.model_validate(data)


def path_search(*starts: str, methods: Sequence[str] = (), **keys: object) -> dict[str, object]:
    """Return a select section that searches paths; without ``starts`` from the parents."""
    layers = {"encoding": "splice", **keys}
    space = {"methods": list(methods), "layers": layers}
    return {"space": space, "warm_start": list(starts) or ["parents"]}


def test_check_accepts_good_params() -> None:
    """Params without fault raise nothing."""
    check(params(select=path_search(cuts=2, overlap=1)))
    check(params(select=path_search("uniform", "parents", methods=["linear"])))
    check(params())
    check(params(merge={"tokenizer": "union"}))


def test_check_allows_the_open_files_that_workers_need() -> None:
    """A run that may open too few would hang; where the system allows more it gets them."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 64 + 8 * 200  # more than this process has open
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed - 1, most))
    try:
        check(params(evaluate={"workers": 200}))
        assert (needed, most) == resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))


def _write_fault(file: Path) -> None:
    """Write down what the check says in a process that may open few files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (79, 79))
    try:
        check(params(evaluate={"workers": 2}))
    except ParamsError as error:
        file.write_text(str(error), encoding="utf-8")


@pytest.mark.usefixtures("fork_server")
def test_check_says_where_too_few_files_may_be_open(tmp_path: Path) -> None:
    """The message says how many are needed, and how many the system allows."""
    said = tmp_path / "said.txt"
    process = multiprocessing.get_context("forkserver").Process(target=_write_fault, args=(said,))
    process.start()
    process.join()
    expected = "evaluate.workers: 2 need up to 80 open files, and this process may open 79."
    assert said.read_text(encoding="utf-8").startswith(expected)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"download": {"base": "zoo:bse"}}, "Did you mean"),
        ({"download": {"base": "no/such/folder"}}, "no/such/folder"),
        ({"download": {"parents": {"uniform": "zoo:math"}}}, "called 'uniform'"),
        ({"merge": {"tokenizer": "mth"}}, "Legal: base, math, order, union"),
        ({"download": {"parents": {"union": "zoo:math"}}}, "a parent is called 'union'"),
        ({"select": {"optimizer": "CAM"}}, "CAM"),
        ({"select": {"stop": {"items": 1199}}}, "the first generation takes 1200 items"),
        ({"select": {"stop": {"items": 18_000}}}, "at most 18000 items"),
        ({"select": {"stop": {"items": 83}, "racing": {"rungs": [5, 9]}}}, "takes 84 items"),
        ({"select": {"stop": {"target": 1.5}}}, "no fitness reaches it"),
        ({"select": {"stop": {"patience": 15}}}, "it could never end early"),
        ({"download": {"parents": {"g00-c03": "zoo:math"}}}, "is called 'g00-c03', as candidates"),
        ({"evaluate": {"references": {"s00-c00": LOCAL}}}, "is called 's00-c00', as candidates"),
        ({"evaluate": {"references": {"math": LOCAL}}}, "'math' is the name of another model"),
        ({"evaluate": {"references": {"ties": LOCAL}}}, "'ties' is the name of another model"),
        ({"evaluate": {"backend": LOCAL}}, "local-completions has no way to load a candidate"),
        ({"select": {"space": {"methods": ["tise"]}}}, "Did you mean 'ties'"),
        ({"evaluate": {"tasks": [{"task": "spanish_arithmetics"}]}}, "spanish_arithmetic"),
        ({"evaluate": {"device": "cuda:77"}}, "'cuda:77' is not on this machine"),
        ({"evaluate": {"device": "cuda:999"}}, "'cuda:999' is not on this machine"),
        (
            {"evaluate": {"model_args": {"attn_implementation": "flash"}}},
            "attn_implementation is 'flash', which the model does not take",
        ),
        ({"evaluate": {"model_args": {"truncation": "yes"}}}, "Legal: true or false"),
        ({"evaluate": {"model_args": {"prefix_token_id": 5000}}}, "a number from 0 to"),
        ({"evaluate": {"apply_chat_template": True}}, "the tokenizer has no chat template"),
        ({"evaluate": {"model_args": {"max_length": 9}}}, "model_args.max_length is 9"),
        ({"merge": {"modules": ["vision_tower"]}}, "merge: modules names 'vision_tower'"),
        ({"evaluate": {"gen_kwargs": {"temprature": 1.0}}}, "Did you mean 'temperature'"),
        ({"evaluate": {"gen_kwargs": {"repetition_penalty": -1}}}, "repetition_penalty is -1"),
        (
            {"evaluate": {"gen_kwargs": {"do_sample": "yes", "temperature": 1.0}}},
            "Give true or false",
        ),
        (
            {"evaluate": {"gen_kwargs": {"do_sample": True, "temperature": 1.0, "top_p": 7}}},
            "top_p is 7",
        ),
        (
            {"select": {"population": 3, "warm_start": ["uniform", "task_arithmetic", "parents"]}},
            "gives 4 genomes",
        ),
        ({"select": {"space": {"layer_groups": 99}}}, "layer_groups is 99, the models have"),
        ({"select": path_search(cuts=9)}, "layers.cuts is 9. With 6 layers, 0 first and 0 last"),
        ({"select": path_search("uniform")}, "uniform is a merge, and select.space.methods is []"),
        (
            {"select": path_search(), "merge": {"tokenizer": "union"}},
            "merge.tokenizer is union, and select.space.layers is given",
        ),
        (
            {"select": path_search(), "download": {"parents": {"math": "zoo:math"}}},
            "splice chooses between models, and the pool is math alone",
        ),
        (
            {
                "select": path_search(methods=["linear"]),
                "download": {"parents": {"merge": "zoo:math", "order": "zoo:order"}},
            },
            "download.parents: a parent is called 'merge'",
        ),
        ({"select": {"scan": {"budget": 5}}}, "scan.budget is 5, and select.space.layers is not"),
        (
            {"select": {"space": {"methods": ["linear"], "density": [0.5, 1.0]}}},
            "space.density is given, and no method of select.space.methods (linear) takes density",
        ),
        (
            {"select": {"space": {"methods": ["slerp"], "scale": [0.5, 1.0]}}},
            "space.scale is given, and no method of select.space.methods (slerp) takes scale",
        ),
        (
            {
                "select": {
                    "space": {"methods": ["slerp"], "weight": [0.0, 1.0]},
                    "tuned_baselines": {"sweep": 0},
                }
            },
            "space.weight is given, and no method of select.space.methods (slerp) takes weight",
        ),
    ],
)
def test_check_says_what_is_wrong(sections: dict[str, dict[str, object]], said: str) -> None:
    """Each fault names what was found and what is legal or near."""
    with pytest.raises(ParamsError) as caught:
        check(params(**sections), fetches=True)

    assert said in str(caught.value)


def parent_like(folder: Path, **changes: object) -> Path:
    """Write a random model with the config and tokenizer of the zoo's base, but for some keys."""
    shutil.copytree("data/zoo/base", folder, ignore=shutil.ignore_patterns("*.safetensors"))
    keys = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    keys |= changes
    config = AutoConfig.for_model(keys.pop("model_type"), **keys)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def test_parents_that_do_not_fit_the_base_are_all_said_at_once(tmp_path: Path) -> None:
    """Width, heads, depth and architecture, with what else is wrong in params.yaml."""
    odd: dict[str, tuple[dict[str, object], str]] = {
        "wide": ({"hidden_size": 120}, "hidden_size"),
        "heads": ({"num_attention_heads": 2, "num_key_value_heads": 2}, "num_attention_heads"),
        "deep": ({"num_hidden_layers": 7}, "num_hidden_layers"),
        "qwen": ({"model_type": "qwen2"}, "model_type"),
    }
    parents = {name: str(parent_like(tmp_path / name, **c)) for name, (c, _) in odd.items()}
    download: dict[str, object] = {"base": "zoo:base", "parents": parents}
    with pytest.raises(ParamsError) as caught:
        check(params(download=download, select=path_search(cuts=9)), fetches=True)
    lines = str(caught.value).splitlines()
    for name, (_, said) in odd.items():
        (line,) = [one for one in lines if f"download.parents.{name}: " in one]
        assert said in line
        assert "Parents must match the base" in line
    assert any("layers.cuts is 9" in line for line in lines)


def test_a_race_needs_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric that is not a mean over items is refused before anything is run."""
    shutil.copytree("data/tasks", tmp_path / "data" / "tasks")
    monkeypatch.chdir(tmp_path)
    task = tmp_path / "data" / "tasks" / "spanish_arithmetic.yaml"
    odd = re.sub("aggregation: mean", "aggregation: median", task.read_text())
    task.write_text(odd)
    check(params())
    said = r"task spanish_arithmetic, select\.racing: metric \w+ is not the mean .* or rungs: \[\]"
    with pytest.raises(ParamsError, match=said):
        check(params(select={"racing": {"rungs": [5, 10]}}))


def test_check_lists_every_fault_at_once() -> None:
    """Three faults in three rooms give three lines."""
    wrong = params(
        merge={"tokenizer": "mth"},
        select={"optimizer": "CAM", "tuned_baselines": {"random": 4, "parameters": 9}},
        evaluate={"tasks": [{"task": "no_such_task"}]},
    )

    with pytest.raises(ParamsError) as caught:
        check(wrong)

    assert 3 == len(str(caught.value).splitlines())


def test_what_the_model_cannot_do_is_said_at_once() -> None:
    """Attention, chat template, module and a length of each task, with what else is wrong."""
    tasks = [{"task": "spanish_arithmetic"}, {"task": "english_sorting"}]
    wrong = params(
        merge={"modules": ["vision_tower"]},
        evaluate={
            "tasks": tasks,
            "apply_chat_template": True,
            "model_args": {"attn_implementation": "flash", "max_length": 4},
        },
        select={"optimizer": "CAM"},
    )
    with pytest.raises(ParamsError) as caught:
        check(wrong, fetches=True)
    lines = str(caught.value).splitlines()
    said = ("vision_tower", "'flash'", "no chat template", "CAM")
    for part in (*said, "task spanish_arithmetic, item", "task english_sorting, item"):
        assert 1 == sum(part in line for line in lines), (part, lines)


def test_models_of_the_hub_are_checked_once_they_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the download nothing is known of them; after it, and in later stages, all of it."""
    for folder in ("data/zoo", "data/tasks"):
        shutil.copytree(folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    hub: dict[str, object] = {"base": "org/base@main", "parents": {"math": "org/math@main"}}
    wrong = params(
        download=hub,
        merge={"modules": ["vision_tower"]},
        evaluate={"apply_chat_template": True, "model_args": {"max_length": 9}},
    )
    check(wrong, fetches=True)
    for name in ("base", "math"):
        shutil.copytree(f"data/zoo/{name}", f"data/parents/{name}")
    empty = ("revision", "adapter_revision", "inputs", "files", "notes", "weights_hash")
    rest = {**dict.fromkeys(empty, ""), "num_tensors": 0, "num_parameters": 0}
    entries = [{**rest, "name": name, "source": f"org/{name}@main"} for name in ("base", "math")]
    manifest = {"version": 2, "models": entries}
    Path("data/parents/manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    for probe, said in (
        (check_fetched, ("no chat template", "model_args.max_length is 9")),
        (check, ("no chat template", "model_args.max_length is 9", "vision_tower")),
    ):
        with pytest.raises(GermlineError) as caught:
            probe(wrong)
        assert all(part in str(caught.value) for part in said)
        assert len(said) == len(str(caught.value).splitlines())


def test_types_hide_no_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message has keys, types and the names that only a room can judge, and nothing untrue."""
    wrong = {
        "download": GOOD["download"],
        "merge": {"tokenizer": "mth", "sed": 1},
        "evaluate": {
            "include_path": "data/tasks",
            "tasks": [{"task": "no_such_task"}],
            "workers": "two",
            "device": "cuda:77",
        },
        "select": {
            "population": "4",
            "optimizer": "CAM",
            "space": {"methods": ["tise"]},
        },
    }
    for folder in ("data/zoo", "data/tasks"):
        shutil.copytree(folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(json.dumps(wrong), encoding="utf-8")
    with pytest.raises(ParamsError) as caught:
        legal_params(fetches=True)
    lines = str(caught.value).splitlines()
    said = ("merge.sed", "evaluate.workers", "select.population", "'mth'", "no_such_task")
    for part in (*said, "cuda:77", "CAM", "tise"):
        assert 1 == sum(part in line for line in lines), (part, lines)
    assert 8 == len(lines), lines


@pytest.mark.parametrize(
    ("section", "hidden"),
    [
        ({"population": "24", "warm_start": ["uniform", "parents"]}, "gives"),
        ({"populaton": 24, "warm_start": [*BASELINES, "parents"]}, "gives"),
        ({"space": {"weight": ["0", 1], "methods": ["tise"]}}, "tise"),
    ],
)
def test_nothing_is_said_of_defaults(
    section: dict[str, object], hidden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hangs on a value that is not legal is not judged by the default of it."""
    wrong = {**GOOD, "evaluate": GOOD["evaluate"] | {"include_path": None}, "select": section}
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(json.dumps(wrong), encoding="utf-8")
    with pytest.raises(ParamsError) as caught:
        legal_params()
    assert hidden not in str(caught.value)


def test_check_finds_what_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of results that takes no file is found before the search, with every other one."""
    shutil.copytree("data/tasks", tmp_path / "data/tasks")
    shutil.copytree("data/zoo", tmp_path / "data/zoo")
    monkeypatch.chdir(tmp_path)
    check(params(), fetches=True)
    for name in ("data/lineage", "reports"):
        Path(name).write_text("a file in its way")

    with pytest.raises(ParamsError) as caught:
        check(params(), fetches=True)

    lines = str(caught.value).splitlines()
    assert ["data/lineage: cannot be written", "reports/runs: cannot be written"] == [
        line.partition(": Not a directory")[0] for line in lines
    ]
    assert [] == list(tmp_path.rglob("tmp*"))
