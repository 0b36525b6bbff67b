"""Children that the store holds from an earlier version of the program."""

import shutil

import pytest

from stages.lineage.rows import read_rows
from stages.store.candidate_store import CandidateStore
from tests.flows.conftest import Maker


def test_a_stored_child_with_a_card_of_before_is_written_again(
    copy_repeated: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run gives the bytes that it gives without a cache, whatever the card said before."""
    project = copy_repeated("project")
    before = project.files("data/champion")
    monkeypatch.chdir(project.folder)
    store = CandidateStore(project.folder)
    rows = read_rows(project.folder / "data/lineage/genomes.jsonl")
    changed = 0
    for row in {row.id: row for row in rows}.values():
        record = store.find(row.id)
        if record is not None:
            folder = project.folder / f"old-{changed}"
            store.checkout(record, folder)
            (folder / "README.md").unlink()
            (folder / "README.md").write_text("a card of before\n", encoding="utf-8")
            store.put_folder(row.id, folder, weights_hash=row.weights_hash)
            shutil.rmtree(folder)
            changed += 1
    assert changed
    shutil.rmtree(project.folder / "data/champion")
    project.germline("select")
    assert before == project.files("data/champion")
