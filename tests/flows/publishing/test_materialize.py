"""Models of a run as folders: the weights that were scored, with a card, or nothing."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from huggingface_hub import metadata_load
from transformers import AutoModelForCausalLM, AutoTokenizer

from flows.cli.main import main
from stages.checkpoint.reader import Checkpoint
from stages.lineage.rows import read_rows, write_rows
from stages.lineage.selection import Selection

ROWS = Path("data/selection/genomes.jsonl")


def materialize(*arguments: str, code: int = 0) -> Result:
    """Return what ``germline materialize`` says; it must end with ``code``."""
    result = CliRunner().invoke(main, ["materialize", *arguments])
    assert code == result.exit_code, result.output
    return result


def test_champion_loads_with_its_scores(
    at_repeated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder of the project, too; its card and its MergeKit file give its weights again."""
    champion = Selection.read(Path("data/selection/selection.json"))
    monkeypatch.chdir(at_repeated / "data")
    said = json.loads(materialize("champion", "../model", "--json").stdout)
    monkeypatch.chdir(at_repeated)

    assert champion.champion == said["name"]
    assert "champion" == said["kind"]
    assert champion.winner.weights_hash == said["weights_hash"] == Checkpoint(Path("model")).hash()
    model = AutoModelForCausalLM.from_pretrained("model")
    assert torch.isfinite(model(torch.tensor([[1, 2]])).logits).all()
    assert AutoTokenizer.from_pretrained("model")("a").input_ids
    card = Path("model/README.md").read_text(encoding="utf-8")
    score = champion.winner.evaluation.tasks[0]
    shown = f"| test | {score.task} | {score.metric} | {score.score:.3f} ± {score.shown_error:.3f}"
    assert shown in card
    assert 'from_pretrained("model")' in card
    assert "merge" in (metadata_load(Path("model/README.md")) or {})["tags"]
    runner = CliRunner()
    document = yaml.safe_load(Path("model/mergekit.yml").read_text(encoding="utf-8"))
    assert "linear" != document["merge_method"]
    for source in ("model", "model/mergekit.yml"):
        again = runner.invoke(main, ["merge", source, f"again-{Path(source).stem}"])
        assert f"weights {said['weights_hash']}" in again.output, again.output


def test_any_candidate_and_baseline_is_a_model(at_repeated: Path) -> None:
    """By its name, by the start of its id, or by the name of the selection's entry."""
    row = next(row for row in read_rows(ROWS) if row.weights_hash and row.fitness is not None)
    for number, word in enumerate((row.name, row.id[:10])):
        materialize(word, f"out{number}")
        assert row.weights_hash == Checkpoint(Path(f"out{number}")).hash()
    said = materialize("math", "parent")
    assert Checkpoint(Path("parent")).hash() in said.output
    assert "a parent of the run" in Path("parent/README.md").read_text(encoding="utf-8")
    assert not list(at_repeated.glob(".*.partial"))


def test_nothing_is_written_but_what_was_asked_for(at_repeated: Path) -> None:
    """Not over a folder, not for a slip of a name, and no other weights than those scored."""
    (at_repeated / "there").mkdir()
    assert "is already there" in materialize("champion", "there", code=1).output
    (at_repeated / "file").touch()
    assert "file is not a folder. Give another place" in (
        materialize("champion", "file/out", code=1).stderr.replace("\n", " ")
    )
    assert "Did you mean 'g00-c00'" in materialize("g0_c0", "out", code=1).output
    rows = read_rows(ROWS)
    forged = [type(row).from_dict({**row.to_dict(), "weights_hash": "f" * 64}) for row in rows]
    ROWS.unlink()
    write_rows(ROWS, forged)
    assert "merged again, its weights hash to" in materialize("g00-c00", "out", code=1).output
    assert not (at_repeated / "out").exists()
    assert not list(at_repeated.glob(".*.partial"))
