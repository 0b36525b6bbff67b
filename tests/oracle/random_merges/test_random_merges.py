"""Random MergeKit files: what MergeKit makes of each, and what we make of it, entry by entry.

`make oracle-random NUM=100 SEED=0` draws others. Each ends as equal, or with the name of what
explains it (docs/mergekit.md); anything else fails.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.programs import Program
from tests.oracle.random_merges.explained_differences import REASONS
from tests.oracle.random_merges.explained_refusals import reason_of
from tests.oracle.random_merges.joined_experts import (
    joined,
    joined_sources,
    members,
    merged_as_one,
)
from tests.oracle.random_merges.one_difference import Difference, References
from tests.oracle.random_merges.random_files import random_file
from tests.oracle.random_merges.thinned_vectors import sources_of
from tests.oracle.random_merges.tiny_models import save_models
from tests.oracle.random_merges.two_sides import Child, Sides

pytestmark = pytest.mark.oracle
NUM = int(os.environ.get("GERMLINE_ORACLE_NUM", "100"))
FIRST = int(os.environ.get("GERMLINE_ORACLE_SEED", "0"))
CONFIG_KEYS = (
    *("num_hidden_layers", "hidden_size", "vocab_size", "tie_word_embeddings", "layer_types"),
    *("sliding_window", "rms_norm_eps", "architectures", "model_type"),
)


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the models, which are made when a file asks for them."""
    return tmp_path_factory.mktemp("random_merges")


@pytest.fixture(scope="session")
def outcomes() -> Iterator[Counter[str]]:
    """Count how files ended, and print it at the end."""
    counts: Counter[str] = Counter()
    yield counts
    print(f"\n{sum(counts.values())} random merges:")  # noqa: T201 -- what docs/checks.md quotes
    for outcome, count in counts.most_common():
        print(f"{count:5} {outcome}")  # noqa: T201


@pytest.mark.parametrize("seed", range(FIRST, FIRST + NUM))
def test_a_random_file_means_what_it_means_to_mergekit(
    mergekit: Program, families: Path, outcomes: Counter[str], tmp_path: Path, seed: int
) -> None:
    """Every entry is equal, or differs by one of the documented kinds."""
    file = random_file(seed)
    models = families / f"{file.kind}-{file.stored}"
    if not models.exists():
        save_models(models, file.kind, file.stored)
    sides = Sides(file, models, tmp_path, mergekit)
    mergekits, ours = sides.mergekits(file), sides.ours(file)
    if isinstance(mergekits, Child) and isinstance(ours, Child):
        reasons = sorted(compared(sides, mergekits, ours)) or ["equal"]
        outcomes[" + ".join(reasons)] += 1
        return
    outcome = reason_of(sides, mergekits, ours)
    said = f"MergeKit: {mergekits if isinstance(mergekits, str) else 'a child'}\nours: "
    said += ours if isinstance(ours, str) else "a child"
    assert outcome is not None, f"{file}\n{said}"
    outcomes[outcome] += 1


def compared(sides: Sides, mergekits: Child, ours: Child) -> set[str]:
    """Return the reasons of all differences of two children."""
    vocabulary = None
    if "tokenizer_source" in sides.file.document:
        vocabulary = ours.vocabulary
        assert_same_tokens(sides, vocabulary or {}, mergekits.vocabulary or {})
    mergekits = mergekits.with_ids_of(vocabulary)
    references, reasons = References(sides, vocabulary), set()
    plans = {tensor.name: tensor for tensor in sides.plan.tensors}
    groups = {name: members(name, ours.tensors) for name in mergekits.tensors}
    names = {n for group in groups.values() for expert in group for n in expert}
    assert names == set(ours.tensors), f"{sorted(names ^ set(ours.tensors))}\n{sides.file}"
    for name, group in groups.items():
        tensor, whole = plans[group[0][0]], mergekits.tensors[name]
        if len(group) == 1:
            sources = sources_of(sides.plan, tensor)
            child = ours.tensors[tensor.name]
        else:
            assert len({repr(plans[n].settings) for expert in group for n in expert}) == 1
            sources = joined_sources(sides.plan, [[plans[n] for n in e] for e in group])
            child = joined([ours.tensors[n] for n in expert] for expert in group)
        difference = Difference(sides, references, tensor, name, sources, child, whole)
        reason = reason_for(difference)
        if reason is None and len(group) > 1:
            as_one = replace(difference, ours=merged_as_one(tensor, sources))
            reasons.add("experts_as_one_tensor")
            reason = reason_for(as_one)
        assert reason is not None, f"{difference.shown}\n{sides.file}"
        reasons.add(reason)
    return reasons - {"equal"}


def assert_same_tokens(sides: Sides, ours: dict[str, int], mergekits: dict[str, int]) -> None:
    """Both children have the same tokens; of a union the base's have the same ids."""
    assert ours
    if sides.file.document["tokenizer_source"] != "union":
        assert ours == mergekits, sides.file
        return
    assert ours.keys() == mergekits.keys(), sides.file
    first = sides.plan.owner.config["vocab_size"]
    if sides.file.base is None:
        return
    moved = {token for token, index in ours.items() if mergekits[token] != index}
    assert all(ours[token] >= first for token in moved), f"{moved}, {sides.file}"


def reason_for(difference: Difference) -> str | None:
    """Return the name of what explains a difference of one tensor, if anything does."""
    return next((reason.__name__ for reason in REASONS if reason(difference)), None)
