"""The result of the final choice: what the flows hand to the report."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from stages.errors import LineageError
from stages.files import write_whole
from stages.hashing import canonical_json
from stages.json_text import read_json
from stages.lineage.data_types import SelectionData, check_data
from stages.lineage.evaluation import Evaluation
from stages.recipe.html_table import html_table

EntryKind = Literal["champion", "parent", "baseline", "tuned", "base", "reference"]
KINDS = ("champion", "parent", "baseline", "tuned", "base", "reference")


@dataclass(frozen=True, slots=True)
class Shortlisted:
    """A candidate that was scored again on the validation split; None: that failed.

    ``scores`` are its validation scores by task. ``p_value`` tests for a difference from the
    champion on that split, corrected for the number of such comparisons; None for the champion
    itself.
    """

    name: str
    id: str
    genes: Mapping[str, float]
    search_fitness: float
    validation_fitness: float | None
    validation_stderr: float | None
    p_value: float | None
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TestedModel:
    """A model that was scored on the test split; ``recipe`` is None where no merge made it.

    For a reference, it says which model was asked; its weights are unknown and have no hash.
    ``num_evaluations``: how many recipes a tuned baseline tried on the search items.
    """

    name: str
    kind: EntryKind
    recipe: Mapping[str, Any] | None
    weights_hash: str | None
    evaluation: Evaluation
    num_evaluations: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Selection:
    """The shortlist, the champion (the name of a shortlisted candidate) and the test results.

    ``task_weights`` are those of ``Evaluation.fitness``. Exactly one entry is the champion's, and
    it holds the champion's recipe and weights hash.

    ``corrected_validation`` is the champion's validation fitness without the luck of having been
    the best of the shortlist on those very items (``paired.corrected_best``). ``cautions`` are
    sentences that a reader of the scores must know. ``ending`` says which rule ended the search
    before its last generation; None where none did.
    """

    champion: str
    task_weights: Mapping[str, float]
    shortlist: tuple[Shortlisted, ...]
    entries: tuple[TestedModel, ...]
    corrected_validation: float
    cautions: tuple[str, ...] = ()
    ending: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError where the parts contradict each other."""
        champions = [entry.name for entry in self.entries if entry.kind == "champion"]
        if champions != [self.champion]:
            raise ValueError(f"champion is {self.champion!r}, champion entries are {champions}")
        if self.champion not in {item.name for item in self.shortlist}:
            raise ValueError(f"champion {self.champion!r} is not on the shortlist")
        unknown = {entry.kind for entry in self.entries} - set(KINDS)
        if unknown:
            raise ValueError(f"unknown kinds of entry: {sorted(unknown)}")

    def __repr__(self) -> str:
        return (
            f"Selection(champion {self.champion}, {len(self.shortlist)} shortlisted, "
            f"{len(self.entries)} models on the test split)"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the shortlist, then all that met the test split."""
        shortlist = html_table(
            f"shortlist; champion {self.champion}",
            ("name", "search", "validation", "±", "p against the champion"),
            [
                (s.name, s.search_fitness, s.validation_fitness, s.validation_stderr, s.p_value)
                for s in self.shortlist
            ],
        )
        tested = [(entry.name, entry.kind, entry.evaluation) for entry in self.entries]
        weights = self.task_weights
        return shortlist + html_table(
            "on the test split",
            ("name", "kind", "fitness", "±"),
            [(n, kind, e.fitness(weights), e.fitness_stderr(weights)) for n, kind, e in tested],
        )

    @property
    def winner(self) -> TestedModel:
        """The champion's entry."""
        return next(entry for entry in self.entries if entry.kind == "champion")

    @property
    def chosen(self) -> Shortlisted:
        """The champion's entry on the shortlist: its id, genes and earlier fitnesses."""
        return next(item for item in self.shortlist if item.name == self.champion)

    def of_kind(self, kind: EntryKind) -> tuple[TestedModel, ...]:
        """Return the entries of ``kind``, in order."""
        return tuple(entry for entry in self.entries if entry.kind == kind)

    def to_dict(self) -> dict[str, Any]:
        """Return the selection as plain JSON data; ``from_dict`` is its inverse."""
        ended = {} if self.ending is None else {"ending": self.ending}
        return {
            **ended,
            "cautions": list(self.cautions),
            "champion": self.champion,
            "corrected_validation": self.corrected_validation,
            "task_weights": dict(self.task_weights),
            "shortlist": [asdict(item) for item in self.shortlist],
            "entries": [
                {
                    "name": entry.name,
                    "kind": entry.kind,
                    "recipe": entry.recipe,
                    "weights_hash": entry.weights_hash,
                    "evaluation": entry.evaluation.to_dict(),
                    "num_evaluations": entry.num_evaluations,
                }
                for entry in self.entries
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the selection that ``to_dict`` wrote.

        Raises:
            ValueError: the data is not an object, a value is of another type, or the parts
                contradict each other.
        """
        if not isinstance(data, Mapping):
            raise ValueError(  # noqa: TRY004  # of a file, as every other fault of it
                f"it holds a {type(data).__name__}, and a selection is an object with the keys "
                "champion, shortlist and entries"
            )
        check_data(SelectionData, data)
        return cls(
            cautions=tuple(data.get("cautions", ())),
            ending=data.get("ending"),
            champion=data["champion"],
            corrected_validation=data["corrected_validation"],
            task_weights=data["task_weights"],
            shortlist=tuple(Shortlisted(**item) for item in data["shortlist"]),
            entries=tuple(
                TestedModel(**{**entry, "evaluation": Evaluation.from_dict(entry["evaluation"])})
                for entry in data["entries"]
            ),
        )

    def check_rows(self, ids: Mapping[str, str], folder: Path) -> None:
        """Check that what was shortlisted is in the lineage of ``folder``: its ``ids`` by name.

        Raises:
            LineageError: a name is missing, or is another candidate's, as in another run.
        """
        other = next((one for one in self.shortlist if ids.get(one.name) != one.id), None)
        if other is not None:
            role = "champion" if other.name == self.champion else "shortlisted candidate"
            raise LineageError(
                f"{folder / 'selection.json'}: its {role} {other.name} ({other.id[:12]}) is not "
                f"among the rows of {folder / 'genomes.jsonl'}. They are of two runs; restore "
                "both with `dvc checkout`."
            )

    def write(self, path: Path) -> None:
        """Write the selection as JSON; equal selections, equal bytes."""
        write_whole(path, canonical_json(self.to_dict()) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the selection that ``write`` wrote.

        Raises:
            LineageError: the file is missing or damaged.
        """
        try:
            return cls.from_dict(read_json(path))
        except FileNotFoundError as error:
            raise LineageError(
                f"{path}: no such file. Make it with `dvc repro select`."
            ) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = "; ".join(str(error).splitlines())  # of a recipe it may be several
            raise LineageError(
                f"{path}: not a selection ({reason}). The file is damaged or of another version; "
                "restore it with `dvc checkout`, or remove it and run `dvc repro select`."
            ) from error
