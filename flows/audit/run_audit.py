"""All checks of a run, one after the other: the cheap ones of everything, then the expensive."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flows.audit.audit_scope import AuditScope, recipes_in
from flows.audit.check_verdict import Difference, Verdict
from flows.audit.checks import (
    candidates_check,
    choice_check,
    files_check,
    libraries_check,
    parents_check,
    recipes_check,
    report_check,
    scores_check,
    search_check,
)
from flows.audit.machine_differences import machine_differences
from flows.audit.recorded_run import RecordedRun
from flows.execution.error_log import explained
from flows.publishing.run_model import run_model
from stages.errors import EvaluationError, GermlineError
from stages.evaluate.arguments.device import check_device
from stages.evaluate.score_environment import in_words

_CHEAP: Mapping[str, Callable[[RecordedRun], Verdict]] = {
    "parents": parents_check.check,
    "files": files_check.check,
    "libraries": libraries_check.check,
    "recipes": recipes_check.check,
    "scores": scores_check.check,
    "search": search_check.check,
    "choice": choice_check.check,
    "report": report_check.check,
}
_EXPENSIVE = ("weights", "items")
# What files raise that are whole, each for itself, and do not belong together.
_CONTRADICTIONS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Steps(Protocol):
    """What is told how far an audit is."""

    def step(self, text: str, total: int | None = None) -> None:
        """Say what is done now."""

    def advance(self, count: float) -> None:
        """Count more of the step as done."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit says: its verdicts, and the machines and libraries of then and now.

    ``machine`` names each thing in which a recorded machine is not that of now.
    """

    verdicts: tuple[Verdict, ...]
    then: Mapping[str, Any]
    now: Mapping[str, Any]
    machine: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """True where nothing differs."""
        return all(verdict.agrees for verdict in self.verdicts)


def audit_run(scope: AuditScope, steps: Steps) -> Audit:
    """Audit the run whose files are in the working folder.

    A file that a check needs and that is missing or damaged is a difference of that check.

    Raises:
        GermlineError: a model that ``scope`` names is unknown, or this machine is at fault.
    """
    for word in scope.words:  # a slip is said at once
        run_model(word)
    run = RecordedRun()
    reasons: set[str] = set()
    verdicts = []
    for name, check in _CHEAP.items():
        steps.step(f"checking {name}")
        verdicts.append(_guarded(name, check, run, reasons))
    verdicts += _computed_again(run, scope, verdicts, steps)
    return Audit(tuple(verdicts), _then(run), _now(run), _machine(run))


def _guarded(
    name: str, check: Callable[[RecordedRun], Verdict], run: RecordedRun, reasons: set[str]
) -> Verdict:
    """Return what a check says; a reason that ended an earlier check is not a new difference."""
    try:
        return check(run)
    except (GermlineError, *_CONTRADICTIONS) as error:
        is_said = isinstance(error, GermlineError)
        message = (
            str(error) if is_said else f"files that contradict each other. {explained(error)}"
        )
        if message in reasons:
            return Verdict(name, "nothing", (), (f"everything: {message}",))
        reasons.add(message)
        return Verdict(name, "nothing", (Difference(name, "files that can be read", message),))


def _computed_again(
    run: RecordedRun, scope: AuditScope, verdicts: list[Verdict], steps: Steps
) -> Iterator[Verdict]:
    """Yield the verdicts on weights and items."""
    broken = [v.check for v in verdicts if v.check == "parents" and not v.agrees]
    broken += [v.check for v in verdicts if v.checked == "nothing"]
    if broken:
        why = f"everything: first repair what the check of {broken[0]} names"
        yield from (Verdict(name, "nothing", (), (why,)) for name in _EXPENSIVE)
        return
    choice = recipes_in(run, scope)
    try:
        check_device(run.params.evaluate.device)
    except EvaluationError as error:
        steps.step(f"merging again: {choice.text}", total=len(choice.ids))
        yield candidates_check.check_weights(run, choice.ids, steps.advance)
        yield Verdict(_EXPENSIVE[1], "nothing", (), (f"everything: {error}",))
        return
    total = candidates_check.num_evaluations(run, choice.ids)
    steps.step(f"merging and evaluating again: {choice.text}", total=total)
    weights, items = candidates_check.check(run, choice.ids, steps.advance)
    yield weights
    rest = len(run.recipes) - len(choice.ids)
    left = (f"{rest} of {len(run.recipes)} recipes were not merged and evaluated again",)
    yield Verdict(
        items.check,
        f"{items.checked}: {choice.text}",
        items.differences,
        (*items.unchecked, *(left if rest else ())),
    )


def _then(run: RecordedRun) -> dict[str, Any]:
    try:
        known = dict(libraries_check.recorded_packages(run))
    except GermlineError:
        known = {}
    return {"libraries": known, "machines": libraries_check.recorded_machines()}


def _now(run: RecordedRun) -> dict[str, Any]:
    try:
        environment = run.environment
    except GermlineError:
        return {"libraries": {}, "machines": []}
    machine: Any = environment["machine"]
    return {"libraries": environment["packages"], "machines": [in_words(machine)]}


def _machine(run: RecordedRun) -> tuple[str, ...]:
    recorded = [origin["machine"] for origin in libraries_check.recorded_origins()]
    try:
        now: Any = run.environment["machine"]
    except GermlineError:
        return ()
    return machine_differences(recorded, now)
