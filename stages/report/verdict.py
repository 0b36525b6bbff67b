"""What the numbers say, in sentences: losses are said like gains."""

from collections.abc import Sequence
from typing import get_args

from stages.lineage.paired_tests import p_text
from stages.params.space.space_params import Half
from stages.report.comparisons import Lead, ModelFigures, Outcome, Rival, TaskRival
from stages.report.search_kinds import SearchKind

_AGAINST_ONE: dict[Outcome, str] = {
    "win": "beats",
    "loss": "is worse than",
    "undecided": "cannot be told from",
}
_IN_TASKS: tuple[tuple[Outcome, str], ...] = (
    ("win", "better in"),
    ("loss", "worse in"),
    ("undecided", "no clear difference in"),
)

_HALVES = get_args(Half)


def headline(models: Sequence[ModelFigures]) -> str:
    """Return the champion's test fitness, and which other model it is, if it is one.

    The champion is the first of ``models``.
    """
    champion, *others = models
    score = f"{champion.fitness:.3f} ± {champion.stderr:.3f}"
    return f"{champion.name} scores {score} on the test split." + "".join(
        f" It is the {one.kind} {one.name} itself: the weights are the same, bit for bit."
        for one in others
        if one.kind in ("base", "parent")
        and one.weights_hash is not None
        and one.weights_hash == champion.weights_hash
    )


def findings(
    rivals: Sequence[Rival],
    tasks: Sequence[TaskRival],
    others_in_tasks: Sequence[TaskRival] = (),
) -> tuple[str, ...]:
    """Return what the champion wins and loses: a sentence for each rival, then task by task.

    ``tasks`` are the best parents, left out where there is a single task, of which the rivals
    speak; of ``others_in_tasks`` those are named that are better than the champion.
    """
    overall = [
        f"It {_AGAINST_ONE[rival.lead.outcome]} the {_title(rival)} ({_lead_text(rival.lead)})."
        for rival in rivals
    ]
    by_tasks = by_task(tasks) if len(tasks) > 1 else ()
    return (*overall, *by_tasks, *_lost_in_tasks(others_in_tasks))


def lost_to(rivals: Sequence[TaskRival]) -> list[TaskRival]:
    """Return those of ``rivals`` that are better than the champion in their task."""
    return [rival for rival in rivals if rival.lead.outcome == "loss"]


def _lost_in_tasks(rivals: Sequence[TaskRival]) -> tuple[str, ...]:
    named = [
        f"{rival.name} in {rival.task} ({_lead_text(rival.lead)})" for rival in lost_to(rivals)
    ]
    return (f"In single tasks another model is better: {_listed(named)}.",) if named else ()


def by_task(tasks: Sequence[TaskRival]) -> tuple[str, ...]:
    """Return in which tasks the champion beats the best parent, and where not: a sentence each."""
    sentences = []
    for outcome, words in _IN_TASKS:
        named = [
            f"{rival.task} ({_lead_text(rival.lead, f'against {rival.name}')})"
            for rival in tasks
            if rival.lead.outcome == outcome
        ]
        if named:
            sentences.append(f"Against the best parent of each task: {words} {_listed(named)}.")
    return tuple(sentences)


def by_kind(kinds: Sequence[SearchKind]) -> str:
    """Return which other kinds the run's own search beats, and which not; a table has figures.

    Where it searched both halves of the space, and each was also searched alone, a last sentence
    says whether both together are shown to be better. It is empty where there is no other kind.
    """
    *others, own = kinds
    parts = []
    for outcome, words in _AGAINST_ONE.items():
        named = [
            f"the {kind.kind}"
            for kind in others
            if kind.lead is not None and kind.lead.outcome == outcome
        ]
        if named:
            parts.append(f"{words} {_listed(named)}")
    if not parts:
        return ""
    return f"The {own.kind} {'; it '.join(parts)}.{_of_halves(others)}"


def _of_halves(kinds: Sequence[SearchKind]) -> str:
    alone = [kind for kind in kinds if kind.half is not None and kind.lead is not None]
    better = [kind.half for kind in alone if kind.lead and kind.lead.outcome == "loss"]
    equal = [kind.half for kind in alone if kind.lead and kind.lead.outcome == "undecided"]
    if better:
        return f" Here {_listed(list(map(str, better)))} alone did better than both together."
    if equal:
        than = _listed([f"{half} alone" for half in equal])
        return f" That both together are better than {than} is not shown."
    return " Both together are better than each alone." if len(alone) == len(_HALVES) else ""


def luck(rivals: Sequence[Rival], tasks: Sequence[TaskRival]) -> tuple[str, ...]:
    """Return a sentence for each lead: how often chance alone would give one like it."""
    overall = [(f"over the {_title(rival)}", rival.lead) for rival in rivals]
    by_task = [(f"over {rival.name} in {rival.task}", rival.lead) for rival in tasks]
    return tuple(_luck(against, lead) for against, lead in [*overall, *by_task])


def _luck(against: str, lead: Lead) -> str:
    verdict = {
        "win": "is more than luck",
        "loss": "is a loss, more than bad luck",
        "undecided": "cannot be told from luck",
    }[lead.outcome]
    return (
        f"The lead {against} ({lead.difference:+.3f}) {verdict}: between equally good models, "
        f"chance gives a difference of this size in {_how_often(lead)} comparisons."
    )


def _how_often(lead: Lead) -> str:
    """Return a p-value as a count of cases."""
    text = p_text(lead.p_value, lead.num_tests)
    bound = float(text.removeprefix("≤").removeprefix("="))
    of = 100 if bound >= 0.01 else 10_000
    return f"{'at most' if text.startswith('≤') else 'about'} {round(bound * of)} of {of:,}"


def _title(rival: Rival) -> str:
    if rival.kind == rival.name:  # the base of a run, which is called so
        return rival.name
    if rival.kind == "base":
        return f"base, {rival.name}"
    if rival.kind == "tuned":
        return f"best tuned baseline, {rival.name} of {rival.num_evaluations} evaluations"
    return f"best {rival.kind}, {rival.name}"


def _lead_text(lead: Lead, *words: str) -> str:
    figures = " ".join([f"{lead.difference:+.3f} ± {lead.stderr:.3f}", *words])
    return f"{figures}, p {p_text(lead.p_value, lead.num_tests)}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([*([", ".join(parts[:-1])] if parts[1:] else []), parts[-1]])
