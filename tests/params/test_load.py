"""params.yaml: every fault has one clear message."""

import math
from pathlib import Path

import pytest
import yaml

from stages.errors import ParamsError
from stages.params.load import Params, load_params, validated
from stages.params.space.space_params import SpaceParams

GOOD = {
    "download": {"base": "zoo:base", "parents": {"math": "zoo:math"}},
    "evaluate": {"tasks": [{"task": "sums"}]},
}
DATA = {"data": "data/questions.csv"}
MIXED = {"search": "a.csv", "validation": "b.csv", "test": "c"}


SUMS = {"tasks": [{"task": "sums"}]}
LOCAL = {"model": "local-completions"}


def holding(**model_args: object) -> dict[str, object]:
    """Return a reference with these arguments."""
    return {**LOCAL, "model_args": model_args}


def naming(setting: object) -> dict[str, object]:
    """Return a section select whose space says this of the parameter epsilon."""
    return {"space": {"parameters": {"epsilon": setting}}}


def judged(**keys: object) -> dict[str, object]:
    """Return a task that a judge scores, some keys of the judge replaced."""
    judge = {"url": "http://localhost/v1", "model": "m", "prompt": "{{ response }}"}
    return {**DATA, "judge": {**judge, **keys}}


def write(folder: Path, **sections: object) -> Path:
    """Write a params.yaml of the good sections, some replaced."""
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **sections}), encoding="utf-8")
    return path


def test_defaults_fill_what_is_not_said(tmp_path: Path) -> None:
    """The shortest legal file names a base, a parent and a task."""
    params = load_params(write(tmp_path))

    assert ("CMA", "elite", "sums") == (
        params.select.optimizer,
        params.merge.keep,
        params.evaluate.tasks[0].label,
    )


def test_a_search_of_paths_alone_starts_at_parents(tmp_path: Path) -> None:
    """Without methods no merge is among the warm starts, unless one is listed."""
    paths = {"methods": [], "layers": {"encoding": "pick"}}
    listed = {"space": paths, "warm_start": ["uniform"]}

    assert load_params(write(tmp_path, select={"space": paths})).select.warm_start == ["parents"]
    assert load_params(write(tmp_path, select=listed)).select.warm_start == ["uniform"]
    assert load_params(write(tmp_path)).select.warm_start == ["uniform", "parents"]


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"selekt": {}}, r"selekt: unknown key. Legal here: download, .* Did you mean 'select'\?"),
        ({"select": {"optimiser": "CMA"}}, r"select.optimiser: .* Did you mean 'optimizer'\?"),
        ({"select": {"population": 1}}, r"select.population: give 2 or more, got 1\."),
        ({"select": {"population": 2.5}}, r"select.population: give a whole number, .*got 2\.5"),
        ({"select": {"shortlist": "3"}}, r"shortlist: give a whole number, without quotes"),
        ({"report": {"title": 3}}, r"report.title: give a text, got 3"),
        ({"merge": {"keep": "al"}}, r"merge.keep: give 'none', 'elite' or 'all', got 'al'"),
        ({"evaluate": {"tasks": [{"task": "x", "weight": math.inf}]}}, r"weight.* finite number"),
        ({"select": {"space": {"weight": [2, 0]}}}, r"select.space: weight is \[2.0, 0.0\]"),
        ({"select": {"space": {"density": [0, 1]}}}, r"select.space: density is \[0.0, 1.0\]"),
        ({"select": naming([0.2, 0.1])}, r"epsilon: give \[low, high\] with .*, got \[0.2, 0.1\]"),
        ({"select": naming([0.1, "l1"])}, r"parameters.epsilon: give a number or a name to fix"),
        ({"select": naming([0, 1, 2])}, r"or \[low, high\], or a list of two or more names, got"),
        ({"select": naming(["l1"])}, r"a list of two or more names, got \['l1'\]"),
        ({"select": naming(["l1", "none", "l1"])}, r"parameters.epsilon: list each name once"),
        ({"select": naming(True)}, r"parameters.epsilon: .*a switch is 0 or 1, got True"),
        ({"select": naming(None)}, r"parameters.epsilon: give a number or a name to fix"),
        ({"select": naming(float("inf"))}, r"parameters.epsilon: give finite numbers, got inf"),
        ({"select": naming([0, 10**400])}, r"line \d+: a number of 401 digits; the most are 40"),
        ({"merge": {"keep": "some"}}, r"merge.keep: .*'none', 'elite' or 'all', got 'some'"),
        ({"evaluate": {"tasks": []}}, r"evaluate.tasks: "),
        ({"evaluate": {"tasks": [{}]}}, r"give one of `task`, `data` and `splits`"),
        ({"evaluate": {"tasks": [{"task": "a"}] * 2}}, r"task 'a' is listed twice"),
        ({"evaluate": {"tasks": [{"splits": {"search": "a"}}]}}, r"names a task for each"),
        ({"evaluate": {"tasks": [{"task": "a.csv"}]}}, r"'a.csv' is a data file: name it under"),
        (
            {"evaluate": {"tasks": [{"data": "a.txt"}]}},
            r"not a data file. Legal: .*\.csv, .*'a.txt'",
        ),
        ({"evaluate": {"tasks": [{"task": "a", "kind": "numeric"}]}}, r"`kind` belongs to a data"),
        ({"evaluate": {"tasks": [{**DATA, "kind": "numbers"}]}}, r"tasks.0.kind: .*'numeric'"),
        ({"evaluate": {"tasks": [{**DATA, "columns": {"promt": "q"}}]}}, r"mean 'prompt'\?"),
        ({"evaluate": {"tasks": [{**DATA, "metric": "m", "scorer": "s.py:f"}]}}, r"both say how"),
        (
            {"evaluate": {"tasks": [{**DATA, "scorer": "mine.py"}]}},
            r"tasks.0.scorer: give FILE.py:FUNCTION, got",
        ),
        (
            {"evaluate": {"tasks": [{**DATA, "name": "a b"}]}},
            r"tasks.0.name: take letters, digits",
        ),
        ({"evaluate": {"tasks": [DATA, DATA]}}, r"task 'questions' is listed twice"),
        ({"evaluate": {"tasks": [{"splits": MIXED}]}}, r"lm-eval tasks or data files, not both"),
        ({"evaluate": {"tasks": [judged(prompt="Grade it.")]}}, r"never shows \{\{ response"),
        ({"evaluate": {"tasks": [judged(scale=[1, 1])]}}, r"give \[low, high\] with low < high"),
        (
            {"evaluate": {"tasks": [judged(url="localhost:80")]}},
            r"tasks.0.judge.url: give an address",
        ),
        ({"evaluate": {"tasks": [judged(body={"model": "n"})]}}, r"body may not hold 'model'"),
        ({"evaluate": {"tasks": [judged(modell="m")]}}, r"Did you mean 'model'\?"),
        ({"evaluate": {**SUMS, "backend": "vllm"}}, r"backend: give hf, .*got 'vllm'"),
        ({"evaluate": {**SUMS, "backend": {"modle": "hf"}}}, r"backend.modle: .*mean 'model'\?"),
        ({"evaluate": {**SUMS, "references": {"a b": LOCAL}}}, r"references"),
        ({"evaluate": {**SUMS, "references": {"a": {**LOCAL, "keys": 1}}}}, r"keys: unknown key"),
        ({"evaluate": {**SUMS, "references": {"a": holding(header={})}}}, r"not hold 'header'"),
        ({"evaluate": {**SUMS, "references": {"a": holding(api_key="k")}}}, r"under api_key_env"),
        (
            {"evaluate": {**SUMS, "references": {"a": holding(base_url="http://u:p@h")}}},
            r"base_url may hold no user name",
        ),
        ({"download": {"base": "zoo:base", "parents": {"../x": "zoo:x"}}}, r"download.parents"),
    ],
)
def test_fault_is_named_with_place_and_legal_values(
    tmp_path: Path, sections: dict[str, object], message: str
) -> None:
    """A fault's message says where it is and what is legal there."""
    with pytest.raises(ParamsError, match=message):
        load_params(write(tmp_path, **sections))


def test_numbers_that_yaml_takes_for_text_are_numbers(tmp_path: Path) -> None:
    """YAML 1.1 reads 1e-3 without a dot as text; a space's parameters read it as a number."""
    path = write(tmp_path, select=naming([0, 0.5]))
    path.write_text(path.read_text(encoding="utf-8").replace("0.5", "1e-3"), encoding="utf-8")

    assert {"epsilon": (0.0, 0.001)} == load_params(path).select.space.parameters


@pytest.mark.parametrize("name", ["<b>x</b>", "a/b", "n" * 65])
def test_a_name_that_is_not_legal_is_said_to_be_so(name: str) -> None:
    """A parent's name is a key, and a text: there is nothing to quote."""
    data = {**GOOD, "download": {"base": "x", "parents": {name: "y"}}}
    with pytest.raises(ParamsError, match=r"not a legal name\. Take letters") as raised:
        validated(Params, data, "params")
    assert "quote" not in str(raised.value)
    task = {"task": "sums", "splits": {name: "train"}}
    with pytest.raises(ParamsError, match="a key is '") as raised:
        validated(Params, {**GOOD, "evaluate": {"tasks": [task]}}, "params")
    assert "quote" not in str(raised.value)


def test_a_key_that_yaml_1_1_takes_for_a_switch_is_named() -> None:
    """PyYAML gives False for the key off; germline's own reader gives its text."""
    layers = {"encoding": "indicator", False: -2.0}
    data = {**GOOD, "select": {"space": {"methods": [], "layers": layers}}}
    with pytest.raises(ParamsError, match=r"layers: a key is False, not a text\. .*quote the key"):
        validated(Params, data, "params")


def test_settings_pass_through_json() -> None:
    """Prefect writes a flow's params as JSON: no kind of setting warns, or comes back changed."""
    kinds = {"a": 1, "b": "l1", "c": [0, 0.5], "d": ["1", "2"], "e": ["l1", "l2", "l3"]}
    space = SpaceParams.model_validate({"parameters": kinds})

    assert space == SpaceParams.model_validate(space.model_dump(mode="json"))
    assert ("1", "2") == space.parameters["d"]


def test_all_faults_are_listed_at_once(tmp_path: Path) -> None:
    """Two faults take one run to find."""
    path = write(tmp_path, select={"population": 1, "shortlist": -1})

    with pytest.raises(ParamsError) as caught:
        load_params(path)

    assert 2 == len(str(caught.value).splitlines())


NONSENSE: list[tuple[str, object]] = [
    ("merge.shard_gb", math.inf),
    ("merge.seed", True),
    ("merge.plugins", ["a.py", "a.py"]),
    ("evaluate.device", "banana"),
    ("evaluate.seed", "7"),
    ("evaluate.workers", 2.0),
    ("evaluate.timeout_s", 1e30),
    ("evaluate.gen_kwargs", {"top_p": math.nan}),
    ("select.population", 1e39),
    ("select.population", 10**9),
    ("select.space.layer_groups", 10**9),
    ("select.space.weight", [0, 1e30]),
    ("select.space.normalize", "yes"),
    ("select.warm_start", ["uniform", "uniform"]),
    ("report.title", 3),
]


@pytest.mark.parametrize(("key", "value"), NONSENSE)
def test_nonsense_is_refused_at_its_line(tmp_path: Path, key: str, value: object) -> None:
    """A wrong type, a number beyond all bounds and an entry that is there twice."""
    section, *inner = key.split(".")
    for part in reversed(inner):
        value = {part: value}
    good = GOOD.get(section, {})
    path = write(tmp_path, **{section: {**good, **value}})  # type: ignore[dict-item]

    with pytest.raises(ParamsError, match=rf"params\.yaml, line \d+: {section}\.{inner[0]}"):
        load_params(path)


def test_unknown_key_hides_no_other_fault(tmp_path: Path) -> None:
    """What contradicts what is told next to it, each at its line."""
    path = write(
        tmp_path,
        evaluate={**SUMS, "splits": {"search": 5}, "estimator": {"kind": "mean"}, "sead": 3},
        select={"seed": "x", "seeds": 1},
    )

    with pytest.raises(ParamsError) as caught:
        load_params(path)
    said = str(caught.value)
    for part in ("evaluate.sead: unknown", "select.seed: ", "select.seeds: unknown"):
        assert part in said
    assert "estimator.num_items is 20, splits.search is 5" in said
    assert all("params.yaml, line " in line for line in said.splitlines())


@pytest.mark.parametrize("text", ["a: [", "- 1", ""])
def test_file_that_is_not_a_mapping_is_refused(tmp_path: Path, text: str) -> None:
    """Broken YAML and other shapes are named for what they are."""
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ParamsError, match=r"params\.yaml: (line 1: not YAML|holds (a|nothing))"):
        load_params(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A run outside a project folder says what is missing."""
    with pytest.raises(ParamsError, match="no such file"):
        load_params(tmp_path / "params.yaml")
