"""Faults that somebody or something planted in a run: each check names the first of its kind."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.audit.checks import (
    choice_check,
    files_check,
    libraries_check,
    parents_check,
    recipes_check,
    report_check,
    scores_check,
    search_check,
)
from flows.audit.recorded_run import RecordedRun
from stages.files import write_whole
from stages.recipe.recipe import Recipe
from tests.flows.audit.conftest import ROWS, edit_document, edit_rows, flip, said

SELECTION = Path("data/selection/selection.json")


@pytest.mark.usefixtures("at_repeated")
def test_bit_of_a_parent_is_named_with_its_tensor() -> None:
    """The file, and the tensor and number where the source is at hand."""
    flip(Path("data/parents/math/model.safetensors"))
    differences = said(parents_check.check)
    assert "data/parents/math/model.safetensors" in differences[0]
    assert "data/parents/math, tensor model.norm.weight, number" in differences[1]


@pytest.mark.usefixtures("at_repeated")
def test_parents_are_those_of_params_and_recipes() -> None:
    """A parent of another name, hash or source is named with the first row that needs it."""

    def edit(manifest: Any) -> None:
        manifest["models"][1] |= {"weights_hash": "f" * 64, "source": "zoo:order"}

    edit_document(Path("data/parents/manifest.json"), edit)
    differences = said(parents_check.check)
    assert any("math, weights hash: recorded ffff" in line for line in differences)
    assert any("manifest.json, sources" in line for line in differences)
    assert any(line.startswith("g00-c00, recipe, math") for line in differences)


@pytest.mark.usefixtures("at_repeated")
def test_bit_of_an_object_of_the_cache_is_named() -> None:
    """Also where the working folder has the file whole; nothing is removed."""
    record = json.loads(Path("data/lineage/store.jsonl").read_text("utf-8").splitlines()[0])
    md5 = record["md5"]
    whole = Path(f"data/lineage/items/{record['key']}.json").read_bytes()
    path = Path(f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}")
    assert said(files_check.check) == []
    flip(path)
    file = Path(f"data/lineage/items/{record['key']}.json")
    if file.read_bytes() != whole:
        file.unlink()
        file.write_bytes(whole)
    (difference,) = said(files_check.check)
    assert f"object {md5[:2]}/{md5[2:]} of {file}" in difference
    assert path.exists()


@pytest.mark.usefixtures("at_repeated")
def test_forged_item_score_is_named_by_sums_and_hashes() -> None:
    """Its task no longer has the mean of its items, and its file is not the one in store.jsonl."""
    path = min(Path("data/lineage/items").glob("*.json"))
    edit_document(path, lambda data: data["evaluation"]["items"][0].__setitem__(2, 0.25))
    assert any(path.name in line and "on average" in line for line in said(scores_check.check))
    assert any(path.name in line for line in said(files_check.check))


@pytest.mark.usefixtures("at_repeated")
def test_forged_error_of_a_score_is_named() -> None:
    """A standard error that the items do not give, and a fitness that the tasks do not give."""
    path = min(Path("data/lineage/items").glob("*.json"))
    edit_document(path, lambda data: data["evaluation"]["tasks"][0].__setitem__("stderr", 0.001))
    edit_rows(ROWS, lambda row: row.__setitem__("fitness", 0.99) if row["fitness"] else None)
    differences = said(scores_check.check)
    assert any("on search" in line and "stderr: recorded 0.001" in line for line in differences)
    assert any("g00-c00, fitness: recorded 0.99" in line for line in differences)


@pytest.mark.usefixtures("at_repeated")
def test_answers_belong_to_the_scores_that_they_repeat() -> None:
    """A document that keeps what a model said has the scores of the evaluation next to it."""
    documents = {p: json.loads(p.read_bytes()) for p in Path("data/selection/items").glob("*")}
    path = min(p for p, data in documents.items() if "answers" not in data)
    data = documents[path] | {"answers": [["t", "i", "p", None, "a"]]}
    other = path.with_name(f"{'a' * 64}.json")
    write_whole(other, json.dumps(data))
    assert said(scores_check.check) == []
    data["evaluation"]["tasks"][0]["stderr"] += 0.125
    write_whole(other, json.dumps(data))
    assert said(scores_check.check) == [
        f"{other}, answers: recorded scores, now other scores in {path}"
    ]


def _other_genome(row: dict[str, Any]) -> None:
    if row["name"] == "g01-c02":
        gene = next(iter(row["genes"]))
        row["genes"][gene] += 0.125
        row["recipe"]["rules"][0]["values"]["weight"][0] += 0.125
        row["id"] = Recipe.from_dict(row["recipe"]).id


@pytest.mark.usefixtures("at_repeated")
def test_changed_genome_is_named_by_the_replay() -> None:
    """Also where the recipe and its id were changed with it; other rows are as proposed."""
    edit_rows(ROWS, _other_genome)
    differences = said(search_check.check)
    assert differences[0].startswith("g01-c02, genes, ")
    assert {line[:7] for line in differences} == {"g01-c02"}
    edit_rows(ROWS, lambda row: row.__setitem__("id", "f" * 64))
    assert said(recipes_check.check)[0].startswith("g00-c00, id: recorded ffff")


@pytest.mark.usefixtures("at_repeated")
def test_changed_ancestor_and_order_are_named_by_the_replay() -> None:
    """The ancestor; and the row that was left out or put elsewhere."""
    lines = ROWS.read_text(encoding="utf-8").splitlines(keepends=True)
    edit_rows(ROWS, lambda row: row.__setitem__("ancestors", ["uniform"]))
    assert any("ancestors" in line for line in said(search_check.check))
    write_whole(ROWS, "".join([*lines[:1], *lines[2:]]))
    assert said(search_check.check) == ["g00-c01: recorded no row, now proposed by the search"]
    write_whole(ROWS, "".join([lines[1], lines[0], *lines[2:]]))
    assert said(search_check.check) == [
        "the order of the rows: recorded g00-c01 first, now g00-c00 is proposed first"
    ]


@pytest.mark.usefixtures("at_repeated")
def test_row_of_other_libraries_is_named() -> None:
    """All rows of a run name the same versions: it is one row that was changed."""

    def edit(row: dict[str, Any]) -> None:
        if row["name"] == "g01-c02":
            row["environment"]["numpy"] = "0.0"

    edit_rows(ROWS, edit)
    (difference,) = said(libraries_check.check)
    assert difference.startswith("g01-c02, environment, numpy: recorded 0.0, now ")


@pytest.mark.usefixtures("at_repeated")
def test_params_that_move_no_result_are_not_a_difference() -> None:
    """Another title or number of workers is noted; the report is compared under its own title."""
    path = Path("params.yaml")
    params = yaml.safe_load(path.read_bytes())
    params["evaluate"]["workers"], params["report"]["title"] = 2, "Another"
    write_whole(path, yaml.safe_dump(params))
    verdict = files_check.check(RecordedRun())
    assert () == verdict.differences
    notes = "\n".join(verdict.unchecked)
    assert "params.yaml, evaluate, workers: 1 in dvc.lock, evolve, now 2: it moves no re" in notes
    assert "params.yaml, report, title: " in notes
    assert said(report_check.check) == []


@pytest.mark.usefixtures("at_repeated")
def test_lock_and_params_are_those_of_the_run() -> None:
    """A param that was changed after the run; a stage that dvc.lock does not list; no dvc.lock."""
    edited = Path("params.yaml")
    text = edited.read_text(encoding="utf-8")
    params = yaml.safe_load(text)
    params["select"]["shortlist"] += 1
    write_whole(edited, yaml.safe_dump(params))
    assert any(
        line.startswith("params.yaml, select, shortlist: recorded 2 in dvc.lock")
        for line in said(files_check.check)
    )
    write_whole(edited, text)
    assert said(files_check.check) == []
    lock = Path("dvc.lock")
    data = yaml.safe_load(lock.read_bytes())
    del data["stages"]["select"]
    write_whole(lock, yaml.safe_dump(data))
    assert "dvc.lock: recorded no hash, now data/champion" in said(files_check.check)
    write_whole(lock, "stages: [")
    assert "damaged" in said(files_check.check)[0]
    lock.unlink()
    assert "no such file" in said(files_check.check)[0]


@pytest.mark.usefixtures("at_repeated")
def test_swapped_champion_is_named() -> None:
    """Another candidate of the shortlist in its place; and a figure of the selection."""

    def swap(data: Any) -> None:
        other = next(item for item in data["shortlist"] if item["name"] != data["champion"])
        entry = next(entry for entry in data["entries"] if entry["kind"] == "champion")
        data["champion"] = entry["name"] = other["name"]

    name = json.loads(SELECTION.read_text(encoding="utf-8"))["champion"]
    edit_document(SELECTION, swap)
    first = said(choice_check.check)[0]
    assert first.startswith("selection, champion: recorded ")
    assert first.endswith(f"now {name}")


@pytest.mark.usefixtures("at_repeated")
def test_other_weights_of_the_champion_are_named() -> None:
    """The folder of the champion, where its tensors are not those that were scored."""
    flip(Path("data/champion/model.safetensors"))
    assert any(line.startswith("data/champion, weights") for line in said(choice_check.check))


@pytest.mark.usefixtures("at_repeated")
def test_other_files_of_the_champion_are_named() -> None:
    """A config, tokenizer or card that the recipe does not give; a file more, and one less."""
    folder = Path("data/champion")
    assert said(choice_check.check) == []
    card = (folder / "README.md").read_text(encoding="utf-8")
    write_whole(
        folder / "README.md",
        card.replace('"base":0', '"base":1').replace('"base": 0', '"base": 1'),
    )
    write_whole(folder / "config.json", "{}")
    config, recipe = said(choice_check.check)
    assert config.startswith("data/champion/config.json: recorded SHA-256 ")
    assert recipe == "data/champion/README.md, recipe, base: recorded 1, now 0"
    write_whole(folder / "README.md", card)
    shutil.copy("data/parents/base/config.json", folder / "config.json")
    write_whole(folder / "pytorch_model.bin", "other weights")
    (folder / "tokenizer_config.json").unlink()
    first, second = said(choice_check.check)
    assert first.startswith("data/champion/tokenizer_config.json: ")
    assert first.endswith("now no file")
    assert second.startswith("data/champion/pytorch_model.bin: recorded a file")


@pytest.mark.usefixtures("at_repeated")
def test_changed_figure_of_the_report_is_named() -> None:
    """In the metrics by its key, in a table by row and column, in the page by the line."""
    path = Path("reports/metrics.json")
    data = json.loads(path.read_text(encoding="utf-8")) | {"test_fitness": 0.875}
    path.unlink()
    path.write_text(json.dumps(data), encoding="utf-8")
    table = Path("reports/summary.csv")
    lines = table.read_text(encoding="utf-8").splitlines()
    lines[2] = lines[2].replace(lines[2].split(",")[3], "0.0625", 1)
    table.unlink()
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    differences = said(report_check.check)
    assert any("metrics.json, test_fitness: recorded 0.875" in line for line in differences)
    name = lines[2].split(",")[0]
    expected = f"reports/summary.csv, {name}, fitness: recorded 0.0625"
    assert any(expected in line for line in differences)


@pytest.mark.usefixtures("at_repeated")
def test_changed_library_is_said_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version of then and that of now; the keys of the evaluations tell no second time."""
    assert said(libraries_check.check) == []
    info = tmp_path / "other" / "tokenizers-9.9.9.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: tokenizers\nVersion: 9.9.9\n", encoding="utf-8")
    monkeypatch.syspath_prepend(info.parent)
    (difference,) = said(libraries_check.check)
    assert difference.startswith("library tokenizers: recorded ")
    assert difference.endswith("now 9.9.9")


@pytest.mark.usefixtures("at_repeated")
def test_changed_tasks_are_told_by_the_keys() -> None:
    """Evaluations whose tasks were edited afterwards have other keys than they would have now."""
    path = Path("data/tasks/spanish_arithmetic.yaml")
    text = path.read_text(encoding="utf-8")
    write_whole(path, text.replace("max_gen_toks: 16", "max_gen_toks: 15"))
    assert path.read_text(encoding="utf-8") != text
    (difference,) = said(libraries_check.check)
    assert "evaluations, first data/lineage/items/" in difference
    assert "tasks, their files, settings" in difference


@pytest.mark.usefixtures("at_repeated")
def test_changed_answer_on_the_page_is_named() -> None:
    """What the champion is said to have answered is what its document keeps."""
    path = Path("data/selection/answers.jsonl")

    def edit(question: dict[str, Any]) -> None:
        model = next(iter(question["answers"]))
        question["answers"][model] = "a forged answer"

    edit_rows(path, edit)
    first = said(choice_check.check)[0]
    assert first.startswith(f"{path}, task ")
    assert "answers" in first
    assert "recorded a forged answer" in first
