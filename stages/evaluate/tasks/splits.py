"""The division of a task's items into search, validation and test, by content alone."""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from itertools import combinations, permutations

from stages.errors import EvaluationError
from stages.hashing import content_hash
from stages.lineage.evaluation import SPLITS


def ordered(items: Iterable[str], seed: int) -> list[str]:
    """Return the distinct items in the order of hash(seed, item), which no other item changes."""
    return sorted(set(items), key=lambda item: content_hash([seed, item]))


def divide(
    task: str,
    questions: Mapping[str, str],
    sizes: Mapping[str, int],
    seed: int,
    taken: MutableMapping[str, str] | None = None,
) -> dict[str, list[str]]:
    """Return each split's items: the first ``sizes['search']`` in order, then the next, and so on.

    ``questions`` says what each item asks. Items that ask the same serve one split, in all tasks
    that share ``taken``: {question: split}, to which this division's own are added. An item whose
    question's split is full serves none.

    Raises:
        EvaluationError: there are fewer items than the splits ask for.
    """
    taken = {} if taken is None else taken
    parts: dict[str, list[str]] = {split: [] for split in SPLITS}
    for item in ordered(questions, seed):
        open_splits = [split for split in SPLITS if len(parts[split]) < sizes[split]]
        if not open_splits:
            break
        split = taken.setdefault(questions[item], open_splits[0])
        if split in open_splits:
            parts[split].append(item)
    num_served, wanted = sum(map(len, parts.values())), sum(sizes[split] for split in SPLITS)
    if num_served < wanted:
        asked = " + ".join(f"{sizes[split]} {split}" for split in SPLITS)
        kept = f", {num_served} of them with a question of one split alone"
        raise EvaluationError(
            f"task {task}: has {len(questions)} distinct items"
            f"{kept if num_served < len(questions) else ''}, {wanted} were asked for ({asked}). "
            "Lower evaluate.splits, raise evaluate.limit where it is set, or give the task more "
            "data."
        )
    return parts


def take(task: str, split: str, items: Iterable[str], size: int, seed: int) -> list[str]:
    """Return the first ``size`` items in order, for a task that serves one split only.

    Raises:
        EvaluationError: there are fewer distinct items.
    """
    queue = ordered(items, seed)
    if len(queue) < size:
        raise EvaluationError(
            f"task {task}: has {len(queue)} distinct items, {size} were asked for as the {split} "
            f"split. Lower evaluate.splits.{split}, raise evaluate.limit where it is set, or give "
            "the task more data."
        )
    return queue[:size]


def refuse_overlap(label: str, parts: Mapping[str, Sequence[str]]) -> None:
    """Check that no item serves two splits.

    Raises:
        EvaluationError: one does; the first few are named.
    """
    for i, first in enumerate(SPLITS):
        for second in SPLITS[i + 1 :]:
            shared = sorted(set(parts[first]) & set(parts[second]))
            if shared:
                raise EvaluationError(
                    f"task {label}: {len(shared)} items serve both {first} and {second}: "
                    f"{_few(shared)}. A gain is a gain only on unseen items; name tasks with "
                    "different data under splits."
                )


def refuse_leaks(queues: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
    """Check that no item of a task serves another split of another task; ``queues`` are by label.

    Two tasks on all of one data set divide it alike and pass.

    Raises:
        EvaluationError: one does; the first few are named.
    """
    for (one, one_queue), (other, other_queue) in combinations(queues.items(), 2):
        for first, second in permutations(SPLITS, 2):
            shared = sorted(set(one_queue[first]) & set(other_queue[second]))
            if shared:
                raise EvaluationError(
                    f"tasks {one} and {other}: {len(shared)} items serve {first} in the one and "
                    f"{second} in the other: {_few(shared)}. A gain is a gain only on unseen "
                    "items; take them out of one task's data, or give both tasks all of the same."
                )


def refuse_shown(label: str, split: str, items: Iterable[str], shown: Iterable[str]) -> None:
    """Check that no item is among the documents that few-shot examples are drawn from.

    Raises:
        EvaluationError: an item is; the first few are named.
    """
    shared = sorted(set(items) & set(shown))
    if shared:
        raise EvaluationError(
            f"task {label}: {len(shared)} {split} items are also few-shot examples: "
            f"{_few(shared)}. Give the task a fewshot_split of its own, or num_fewshot: 0."
        )


def _few(items: Sequence[str]) -> str:
    return ", ".join(items[:3]) + (", ..." if len(items) > 3 else "")
