"""``germline merge --dry-run --json``: the plan for programs."""

import json
from pathlib import Path

import pytest

from tests.flows.cli.test_merge_command import TIES
from tests.flows.typed import merged


@pytest.mark.usefixtures("here")
def test_dry_run_prints_the_plan_as_json() -> None:
    """The figures of the text as plain data, keys sorted, with the recipe's id."""
    text = merged(TIES, "--dry-run").stdout
    said = merged(TIES, "--dry-run", "--json").stdout
    data = json.loads(said)
    assert json.dumps(data, indent=2, sort_keys=True) + "\n" == said
    (document,) = data["documents"]
    assert f"  recipe {document['recipe']}\n" in text
    assert [] == document["unhashed"]
    assert ["base", "one", "two"] == [model["name"] for model in document["models"]]
    child = document["child"]
    assert (39, {"ties": 39}, 0) == (child["num_tensors"], child["merged"], child["num_copied"])
    (tensor,) = [t for t in document["tensors"] if "layers.3.mlp.up_proj" in t["name"]]
    assert ["base", "one", "two"] == tensor["models"]
    assert ("BF16", [24, 16], 768, "ties") == tuple(
        tensor[key] for key in ("dtype", "shape", "bytes", "method")
    )
    assert [0.5, 0.9] == tensor["values"]["weight"]
    assert (1, "none") == (tensor["values"]["scale"], tensor["values"]["rescale"])
    assert sum(t["bytes"] for t in document["tensors"]) == document["bytes_written"]
    assert not Path("out").exists()


@pytest.mark.usefixtures("here")
def test_each_document_of_a_file_has_a_plan() -> None:
    """In the order in which they are carried out; what has no effect is a note of its document."""
    named = f"name: first{TIES}---{TIES.replace('model: one', 'model: first')}"
    data = json.loads(merged(named, "--dry-run", "--json").stdout)
    assert ["one", "first"] == [document["models"][1]["name"] for document in data["documents"]]
    assert {"documents", "notes"} == {*data}


@pytest.mark.usefixtures("here")
def test_json_is_of_the_dry_run_alone() -> None:
    """A merge prints no plan, so it is wrong usage, and nothing is merged."""
    assert "--json is of --dry-run" in merged(TIES, "--json", code=2).stderr
    assert not Path("out").exists()
