"""The error family, named by whose input was wrong, and the one way to report several faults.

Every message says where, what was found, what is legal, and what to do. The code that finds a
fault says what is wrong and what to do; its caller says where.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import NoneType

PATH = (str, Path)
MAYBE_PATH = (*PATH, NoneType)
MAYBE_INT = (int, NoneType)
_MOST_SHOWN = 60  # characters of a value
_MOST_QUOTED = 300  # characters of another library's message: three lines of a terminal
_BETWEEN_NAMES = re.compile("[,:] ")  # of a place


class GermlineError(Exception):
    """Any error that germline raises on purpose; its message is fit to print alone.

    ``faults`` holds (where, message) of each fault once something has said where it is.
    """

    faults: tuple[tuple[str, str], ...] = ()

    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return (where, message) of each fault; of a bare message each line is one."""
        return self.faults or tuple(("", line) for line in str(self).splitlines())


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


@contextmanager
def at(where: str) -> Iterator[None]:
    """Say where an error that ends the block is: its caller knows, who raised it need not.

    Nested places are joined, as ``Faults`` joins them. A place that the error names already, in
    whole or at its end, is not said again.
    """
    try:
        yield
    except GermlineError as error:
        error.faults = tuple(_fault((where, inner), text) for inner, text in error.parts())
        error.args = ("\n".join(_line(*fault) for fault in error.faults),)
        raise


class Faults:
    """Everything that is wrong with one input: by line where lines are known, then as noticed.

    Nested places are joined: ``recipe 12ab, tensor x: it has no parent. Add one.`` Each message
    is kept once, and names each place once, whoever said it.
    """

    def __init__(self) -> None:
        self._places: list[str] = []
        self._kinds: dict[tuple[str, str], type[GermlineError] | None] = {}
        self._line_numbers: dict[tuple[str, str], int] = {}

    def __bool__(self) -> bool:
        return bool(self._kinds)

    @property
    def lines(self) -> list[str]:
        """The faults, each with its place: by line number, then in the order of notice."""
        return [_line(*fault) for fault in self._ordered]

    def add(self, message: str, *, line: int = 0) -> None:
        """Keep a fault of the place that the open ``at`` blocks name, at a line of a file."""
        self._keep("", message, None, line)

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        """Say where the faults of a block are; an error that ends the block is one of them."""
        self._places.append(where)
        try:
            yield
        except GermlineError as error:
            for inner, message in error.parts():
                self._keep(inner, message, type(error))
        finally:
            self._places.pop()

    def include(self, others: "Faults") -> None:
        """Keep the faults that were collected elsewhere, inside the open ``at`` blocks."""
        for fault, kind in others._kinds.items():  # noqa: SLF001  # one of its own class
            self._keep(*fault, kind, others._line_numbers[fault])  # noqa: SLF001

    def raise_as(self, kind: type[GermlineError]) -> None:
        """Raise all faults as one error, one a line; return where there is none.

        The error is a ``kind``, or of the class that every fault was raised as.
        """
        if not self._kinds:
            return
        raised = set(self._kinds.values())
        only = raised.pop() if len(raised) == 1 else None
        error = (only or kind)("\n".join(self.lines))
        error.faults = tuple(self._ordered)
        raise error

    @property
    def _ordered(self) -> list[tuple[str, str]]:
        return sorted(self._kinds, key=self._line_numbers.__getitem__)

    def _keep(
        self, inner: str, message: str, kind: type[GermlineError] | None, line: int = 0
    ) -> None:
        fault = _fault((*self._places, inner), message)
        self._kinds.setdefault(fault, kind)
        self._line_numbers.setdefault(fault, line)


def _fault(places: Sequence[str], message: str) -> tuple[str, str]:
    """Return the joined place, on one line as each fault is, and the message without it."""
    where = ""
    for name in reversed([name for name in places if name]):
        outer = name.replace("\n", r"\n")  # a name in it may hold a line feed
        if not where:
            outer, message = _lifted(outer, message)
        num_shared = _num_shared(outer, where)
        where = outer + where[num_shared:] if num_shared or not where else f"{outer}, {where}"
    return where, message


def _lifted(where: str, message: str) -> tuple[str, str]:
    """Return both, with the place that the message itself begins with in ``where`` alone."""
    num_shared = _num_shared(where, message)
    more, colon, said = message[num_shared:].partition(": ")
    return (where + more, said) if num_shared and colon else (where, message)


def _num_shared(outer: str, inner: str) -> int:
    """Return how many characters of ``inner`` name again what ``outer`` begins or ends with."""
    marks = list(_BETWEEN_NAMES.finditer(outer))
    ends = [outer, *(outer[mark.end() :] for mark in marks)]
    beginnings = [outer[: mark.start()] for mark in reversed(marks)]
    for names in (*ends, *beginnings):
        if f"{inner}: ".startswith((f"{names}: ", f"{names}, ")):
            return len(names)
    return 0


def _line(where: str, message: str) -> str:
    return f"{where}: {message}" if where else message


def words_of(error: BaseException) -> str:
    """Return what a library's error says, for the middle of a sentence, on one line.

    One that says nothing, or cannot say it, is named by its kind.
    """
    try:
        words = " ".join(str(error).split())
    except Exception:  # noqa: BLE001  # its class is anybody's, as of a scorer
        words = ""
    words = words.encode("utf-8", "backslashreplace").decode()  # no file holds half a character
    cut = f"{words[:_MOST_QUOTED]} [...]" if len(words) > _MOST_QUOTED else words.rstrip(".!")
    return cut or type(error).__name__


def kind_and_words(error: BaseException) -> str:
    """Return the kind of a library's error, and what it says as ``words_of`` does."""
    kind, words = type(error).__name__, words_of(error)
    return kind if words == kind else f"{kind}: {words}"


def check_types(
    kind: type[GermlineError], given: Mapping[str, tuple[object, tuple[type, ...], str]]
) -> None:
    """Check arguments: by name the value, its legal types, and in words what to give.

    True and False are numbers for Python and not here.

    Raises:
        GermlineError: of the ``kind`` given; a line for each argument of another type.
    """
    faults = Faults()
    for name, (value, types, legal) in given.items():
        is_odd_bool = isinstance(value, bool) and bool not in types
        if is_odd_bool or not isinstance(value, types):
            shown = repr(value)[:_MOST_SHOWN]
            faults.add(f"{name}: got {shown}, a {type(value).__name__}. Give {legal}.")
    faults.raise_as(kind)
