"""The error family, named by whose input was wrong, and the one way to report several faults.

Every message says where, what was found, what is legal, and what to do. The code that finds a
fault says what is wrong and what to do; its caller says where.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class GermlineError(Exception):
    """Any error that germline raises on purpose; its message is fit to print alone.

    ``faults`` holds (where, message) of each fault where ``Faults`` raised it.
    """

    faults: tuple[tuple[str, str], ...] = ()


class ParamsError(GermlineError, ValueError):
    """params.yaml says something that is not legal."""


class RecipeError(GermlineError, ValueError):
    """A recipe cannot be carried out on its ancestors."""


class CheckpointError(GermlineError, OSError):
    """A model folder, a weight file or a download is missing, damaged or of the wrong shape."""


class EvaluationError(GermlineError, RuntimeError):
    """A task, its data or its metric cannot be evaluated."""


class LineageError(GermlineError, RuntimeError):
    """The lineage or the candidate store does not hold what it should."""


class ServiceError(GermlineError, ConnectionError):
    """A service that scores depend on did not answer; the same request may be tried again."""


class Faults:
    """Everything that is wrong with one input, in the order in which it was noticed.

    Nested places are joined: ``recipe 12ab, tensor x: it has no parent. Add one.`` Each message
    is kept once.
    """

    def __init__(self) -> None:
        self._places: list[str] = []
        self._kinds: dict[tuple[str, str], type[GermlineError] | None] = {}

    def __bool__(self) -> bool:
        return bool(self._kinds)

    @property
    def lines(self) -> list[str]:
        """The faults, each with its place, in the order in which they were noticed."""
        return [f"{where}: {message}" if where else message for where, message in self._kinds]

    def add(self, message: str) -> None:
        """Keep a fault of the place that the open ``at`` blocks name."""
        self._keep("", message, None)

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        """Say where the faults of a block are; an error that ends the block is one of them."""
        self._places.append(where)
        try:
            yield
        except GermlineError as error:
            lines = error.faults or [("", line) for line in str(error).splitlines()]
            for inner, message in lines:
                self._keep(inner, message, type(error))
        finally:
            self._places.pop()

    def include(self, others: "Faults") -> None:
        """Keep the faults that were collected elsewhere, inside the open ``at`` blocks."""
        for (where, message), kind in others._kinds.items():  # noqa: SLF001  # one of its own class
            self._keep(where, message, kind)

    def raise_as(self, kind: type[GermlineError]) -> None:
        """Raise all faults as one error, one a line; return where there is none.

        The error is a ``kind``, or of the class that every fault was raised as.
        """
        if not self._kinds:
            return
        raised = set(self._kinds.values())
        only = raised.pop() if len(raised) == 1 else None
        error = (only or kind)("\n".join(self.lines))
        error.faults = tuple(self._kinds)
        raise error

    def _keep(self, inner: str, message: str, kind: type[GermlineError] | None) -> None:
        where = ", ".join(part for part in (*self._places, inner) if part)
        self._kinds.setdefault((where, message), kind)
