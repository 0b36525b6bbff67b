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
import torch
from torch import Tensor
from transformers.utils.chat_template_utils import render_jinja_template

from stages.merge.tokenizers.chat_templates import TEMPLATES
from tests.bench.programs import Program
from tests.oracle.random_merges.explained_differences import REASONS
from tests.oracle.random_merges.explained_refusals import reason_of
from tests.oracle.random_merges.joined_experts import (
    joined,
    members,
    merged_as_one,
)
from tests.oracle.random_merges.one_difference import Difference, References
from tests.oracle.random_merges.random_files import random_file
from tests.oracle.random_merges.settled_merges import SettledMerge, settled
from tests.oracle.random_merges.thinned_vectors import (
    AT_RANDOM,
    BY_MAGNITUDE,
    chances,
    task_vectors,
)
from tests.oracle.random_merges.tiny_models import save_models
from tests.oracle.random_merges.two_sides import Child, Sides, template_text

pytestmark = pytest.mark.oracle
NUM = int(os.environ.get("GERMLINE_ORACLE_NUM", "100"))
FIRST = int(os.environ.get("GERMLINE_ORACLE_SEED", "0"))
# What MergeKit leaves to torch's generator, or to a sort: it is run again with our choices.
OPEN_CHOICES = dict.fromkeys(AT_RANDOM, "random_masks") | dict.fromkeys(
    BY_MAGNITUDE, "equal_entries_at_a_threshold"
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
    dtype = getattr(torch, sides.file.dtype) if sides.file.is_stepwise else torch.float32
    merge = settled(sides, mergekits, dtype, vocabulary)
    if vocabulary is not None:
        assert_same_tokens(merge, vocabulary, mergekits.vocabulary or {})
    mergekits = mergekits.with_ids_of(vocabulary)
    assert_same_config(sides, mergekits, ours)
    references, reasons = References(merge), set()
    groups = {name: members(name, ours.tensors) for name in mergekits.tensors}
    names = {n for group in groups.values() for expert in group for n in expert}
    assert names == set(ours.tensors), f"{sorted(names ^ set(ours.tensors))}\n{sides.file}"
    for name, group in groups.items():
        plans, whole = merge.plans(name), merge.child.tensors[name]
        if sides.file.method in OPEN_CHOICES and not torch.equal(whole, mergekits.tensors[name]):
            reasons.add(OPEN_CHOICES[sides.file.method])
        child = ours.tensors[group[0][0]]
        if len(group) > 1:
            assert len({repr(p.settings) for expert in plans for p in expert}) == 1
            child = joined([ours.tensors[n] for n in expert] for expert in group)
        difference = Difference(
            merge, references, plans[0][0], name, merge.sources(name), child, whole
        )
        reason = reason_for(difference)
        if reason is None and len(group) > 1:
            reasons.add("experts_as_one_tensor")
            reason = reason_for(replace(difference, ours=as_one(difference)))
        assert reason is not None, f"{difference.shown}\n{sides.file}"
        assert_same_chances(difference)
        reasons.add(reason)
    return reasons - {"equal"}


def as_one(difference: Difference) -> Tensor:
    """Return what our method makes of experts that are joined, as MergeKit joins them."""
    compared, is_random = difference.compared, difference.file.method in AT_RANDOM
    masks = compared.masks(difference.name) if is_random else None
    return merged_as_one(difference.tensor, difference.sources, masks, compared.dtype)


def assert_same_chances(difference: Difference) -> None:
    """MergeKit wanted to draw each entry with the chance that it has here."""
    if difference.file.method not in AT_RANDOM:
        return
    compared = difference.compared
    ours = chances(task_vectors(difference.sources, compared.dtype), difference.tensor)
    noted = compared.noted_chances(difference.name)
    density = difference.tensor.settings.parent["density"]
    assert [*noted] == [i for i, value in enumerate(density) if value < 1.0], difference.shown
    # In bfloat16 a chance is the result of four steps; in float16 MergeKit draws in float32.
    room = 4 * torch.finfo(torch.bfloat16).eps if compared.dtype == torch.bfloat16 else 1e-6
    for i, chance in noted.items():
        far = (chance.double().view(ours[i].shape) - ours[i]).abs().max()
        assert far <= room, f"{difference.shown}: a chance is {float(far)} off"


def assert_same_config(sides: Sides, mergekits: Child, ours: Child) -> None:
    """Both have the same config.json, but for the release of transformers that wrote it.

    So have they the chat template, where MergeKit does not take that of the first in a set.
    """
    configs = [{**child.config, "transformers_version": None} for child in (mergekits, ours)]
    assert configs[0] == configs[1], sides.file
    if mergekits.vocabulary is None or mergekits.chat_template == ours.chat_template:
        return
    name, source = (sides.file.document.get(k) for k in ("chat_template", "tokenizer_source"))
    folders = [model.folder for model in sides.plan_of(sides.file).models]
    common = Counter(template_text(folder) for folder in folders)
    if name is None and sides.file.base is None and source in ("base", "union"):
        assert {ours.chat_template, mergekits.chat_template} <= set(common), sides.file
    elif name == "auto":
        assert common[ours.chat_template] == common[mergekits.chat_template] > 0, sides.file
    else:  # a name stands for a text of ours: that of chatml says the same, that of alpaca not
        assert ours.chat_template == TEMPLATES.get(str(name)), sides.file
        assert name != "chatml" or spoken(mergekits) == spoken(ours), sides.file


def spoken(child: Child) -> list[str]:
    """Return what a child's chat template makes of some conversations."""
    system, user, answer = (
        {"role": role, "content": f" of {role}\n"} for role in ("system", "user", "assistant")
    )
    conversations = [[user], [system, user, answer, user], [user, answer]]
    return [
        str(
            render_jinja_template(
                conversations, chat_template=child.chat_template, add_generation_prompt=is_asked
            )
        )
        for is_asked in (True, False)
    ]


def assert_same_tokens(
    merge: SettledMerge, ours: dict[str, int], mergekits: dict[str, int]
) -> None:
    """Both children have the same tokens; of a union the base's have the same ids."""
    assert ours
    if merge.file.document["tokenizer_source"] != "union":
        assert ours == mergekits, merge.file
        return
    assert ours.keys() == mergekits.keys(), merge.file
    first = merge.plan.owner.config["vocab_size"]
    if merge.file.base is None:
        return
    moved = {token for token, index in ours.items() if mergekits[token] != index}
    assert all(ours[token] >= first for token in moved), f"{moved}, {merge.file}"


def reason_for(difference: Difference) -> str | None:
    """Return the name of what explains a difference of one tensor, if anything does."""
    for reason in REASONS:
        explained = reason(difference)
        if explained:
            return f"{reason.__name__}: {explained}" if explained is not True else reason.__name__
    return None
