"""What is known of recipes, weights and evaluations on this machine, and what contradicts it.

A recipe gives one set of weights, and weights give one score on an item. Where a new result says
otherwise, the disk, the memory or a library is at fault, and nobody can tell which result is
right; so it is stored nowhere. Every evaluation's machine and libraries are known, too.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from stages.hashing import content_hash
from stages.lineage.outcome import Outcome
from stages.store.facts import Facts

ELSEWHERE: Mapping[str, Any] = {}  # where nobody recorded what an evaluation was computed with


class KnownResults:
    """Facts about results that were computed with ``environment``: libraries and machine.

    Where ``repeats`` is false, equal weights may get other scores, as from a judge's model.
    """

    def __init__(self, facts: Facts, environment: Mapping[str, Any], *, repeats: bool) -> None:
        self._facts = facts
        self._environment = dict(environment)
        self._repeats = repeats
        self._by_key: dict[str, Mapping[str, Any]] = {}

    def agrees(self, key: str, recipe_id: str, suite_key: str, outcome: Outcome) -> bool:
        """Return whether an outcome that was stored under ``key`` contradicts nothing."""
        if self._origin(key) != self._environment:
            return True  # other kernels may give other bits
        return not self._contradictions(recipe_id, suite_key, outcome)

    def contradiction(self, recipe_id: str, suite_key: str, outcome: Outcome) -> str | None:
        """Return how an outcome that was computed now contradicts what is known, or None."""
        for what, now, subject in self._contradictions(recipe_id, suite_key, outcome):
            return (
                f"recipe {recipe_id[:16]}: gave {what} {now[:16]} now, and "
                f"{str(self._facts.known(subject))[:16]} before, on such a machine with "
                "the same libraries. Nothing of it is stored. Damaged memory, files of models or "
                "libraries are the usual cause; check them and run the same command again. If the "
                f"earlier result was wrong, remove {self._facts.path(subject)} first."
            )
        return None

    def learn(self, key: str, recipe_id: str, suite_key: str, outcome: Outcome) -> None:
        """Keep what an outcome says that was computed now and is stored under ``key``."""
        learn_origin(self._facts, key, self._environment)
        self._by_key[key] = self._environment
        for _, now, subject in self._claims(recipe_id, suite_key, outcome):
            self._facts.learn(subject, now)

    def note(self, key: str) -> None:
        """Count the evaluation under ``key``, which was looked up, among the run's."""
        self._by_key[key] = self._origin(key)

    def keep_origin(self, key: str) -> None:
        """Write again with what ``key`` was computed, where the store has lost it."""
        known = self._by_key.get(key, ELSEWHERE)
        if known and not self._origin(key):
            learn_origin(self._facts, key, known)

    def origins(self) -> list[tuple[Mapping[str, Any], int]]:
        """Return with what the run's evaluations were computed, and how many; the most first."""
        texts = {content_hash(dict(o)): o for o in self._by_key.values()}
        counts = Counter(content_hash(dict(o)) for o in self._by_key.values())
        return [(texts[text], count) for text, count in counts.most_common()]

    def _origin(self, key: str) -> Mapping[str, Any]:
        origin = self._facts.known(_origin_of(key))
        return origin if isinstance(origin, dict) else ELSEWHERE

    def _contradictions(
        self, recipe_id: str, suite_key: str, outcome: Outcome
    ) -> list[tuple[str, str, str]]:
        claims = self._claims(recipe_id, suite_key, outcome)
        return [c for c in claims if self._facts.known(c[2]) not in (None, c[1])]

    def _claims(
        self, recipe_id: str, suite_key: str, outcome: Outcome
    ) -> list[tuple[str, str, str]]:
        """Return what an outcome says: of what, which hash, and under which subject."""
        weights = outcome.weights_hash
        if weights is None:
            return []
        own = self._environment
        claims = [("the weights", weights, content_hash(["weights of", recipe_id, own]))]
        if outcome.evaluation is not None and self._repeats:
            scores = content_hash(outcome.evaluation.to_dict())
            subject = content_hash(["scores of", weights, suite_key, own])
            claims.append(("scores", scores, subject))
        return claims


def learn_origin(facts: Facts, key: str, environment: Mapping[str, Any]) -> None:
    """Keep with what the evaluation under ``key`` was computed."""
    facts.learn(_origin_of(key), dict(environment))


def _origin_of(key: str) -> str:
    return content_hash(["origin of", key])
