"""Whether the models' tensors can be merged with each other: shapes, kinds and moved rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stages.checkpoint.reader import Checkpoint, TensorInfo
from stages.errors import CheckpointError, Faults, RecipeError
from stages.merge.architecture.components import is_buffer
from stages.merge.architecture.layout import layout_of
from stages.merge.plan.child_rows import ChildRow, RowPart
from stages.merge.plan.plan import DTYPES, EXACT, FLOATING, Source
from stages.merge.tokenizers.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class FittedRow:
    """A row whose sources fit: ``info`` is the child's tensor, ``read`` the first source's.

    ``exact`` are the sources of integers, which must be equal in the frame too; of others none.
    """

    row: ChildRow
    base: Source | None
    parents: tuple[Source, ...]
    info: TensorInfo
    read: TensorInfo
    exact: tuple[Source, ...] = ()


class Fitting:
    """Meets rows with the models' headers, once their rows are where the child's tokens are."""

    def __init__(
        self,
        models: Sequence[Checkpoint],
        labels: Sequence[str],
        vocabulary: Vocabulary | None,
        dtype: str | None,
    ) -> None:
        self._models = models
        self._labels = labels
        self._vocabulary = vocabulary
        self._dtype = dtype
        self._layout = layout_of(models[0])
        self._frame_headers: dict[str, set[TensorInfo]] = {}
        for name in self._layout.places:
            info = models[0].tensors[name]
            self._frame_headers.setdefault(self._layout.inner(name), set()).add(info)

    def fit(self, rows: Sequence[ChildRow], faults: Faults, *, is_whole: bool) -> list[FittedRow]:
        """Return the rows that can be merged; every reason why others cannot is a fault.

        The frame's config must describe the child, so shapes are the frame's: a layer's, those of
        any of its layers that has the tensor.
        """
        fitted = []
        for row in rows:
            if row.is_copied:
                fitted.append(self._copied(row))
                continue
            asked = [*row.parts]
            is_framed = (is_whole or row.layer is None) and row.key in self._models[0].tensors
            if is_framed and 0 not in [part.ancestor for part in asked]:
                asked.insert(0, RowPart(0, row.key))
            infos = [self._info(part) for part in asked]
            labels = [self._labels[part.ancestor] for part in asked]
            if row.layer is not None and 0 not in [part.ancestor for part in asked]:
                infos[:0], labels[:0] = self._of_frame(row)
            complaints = [*misfits(infos, labels)]
            with faults.at(row.where), faults.at(f"tensor {row.name}"):
                if not complaints:
                    fitted.append(self._merged(row, asked, infos[-len(row.parts)]))
            for error in complaints:
                with faults.at(row.where), faults.at(f"tensor {row.name}"):
                    raise error
        return fitted

    def _of_frame(self, row: ChildRow) -> tuple[list[TensorInfo], list[str]]:
        """Return the header of a layer's tensor in the frame, where all of its layers agree."""
        headers = self._frame_headers.get(self._layout.inner(row.key), set())
        return ([*headers], [self._labels[0]]) if len(headers) == 1 else ([], [])

    def _merged(self, row: ChildRow, asked: Sequence[RowPart], read: TensorInfo) -> FittedRow:
        checked = tuple(self._source(part, row.name) for part in asked)
        sources = checked[-len(row.parts) :]
        base, parents = (None, sources) if row.base is None else (sources[0], sources[1:])
        exact = checked if read.dtype in EXACT else ()
        return FittedRow(row, base, parents, self._saved(read), read, exact)

    def _copied(self, row: ChildRow) -> FittedRow:
        part = row.parents[0]
        read = self._models[part.ancestor].tensors[part.name]
        info = read if is_buffer(part.name, read.shape) else self._saved(read)
        return FittedRow(row, None, (Source(part.ancestor, part.name),), info, read)

    def _saved(self, info: TensorInfo) -> TensorInfo:
        """Return what the child's header will say: floats take the dtype that is asked for."""
        if info.dtype not in FLOATING:
            return info
        own = "F32" if info.dtype == "F64" else info.dtype
        return TensorInfo(DTYPES[self._dtype] if self._dtype else own, info.shape)

    def _info(self, part: RowPart) -> TensorInfo:
        """Return what a model's tensor is once its rows are where the child's tokens are."""
        if self._vocabulary is None:
            return self._models[part.ancestor].tensors[part.name]
        return self._vocabulary.info(part.ancestor, part.name)

    def _source(self, part: RowPart, tensor: str) -> Source:
        rows = self._vocabulary.rows(part.ancestor, tensor) if self._vocabulary else None
        return Source(part.ancestor, part.name, rows)


def misfits(
    infos: Sequence[TensorInfo], labels: Sequence[str]
) -> Iterator[CheckpointError | RecipeError]:
    """Give every reason why models cannot merge a tensor of which these are the headers."""
    first = infos[0]
    for label, info in zip(labels, infos, strict=True):
        if info.shape != first.shape:
            yield RecipeError(
                f"{label} has shape {list(info.shape)}, {labels[0]} has {list(first.shape)}. "
                f"Merged models have equal shapes; leave {label} out."
            )
        if info.dtype not in (*FLOATING, *EXACT):
            yield CheckpointError(
                f"{label} holds it quantised to {info.dtype}. Merges need "
                f"{', '.join(FLOATING)}; dequantise the model first."
            )
        elif (info.dtype in FLOATING) != (first.dtype in FLOATING):
            yield RecipeError(
                f"{label} holds {info.dtype}, {labels[0]} holds {first.dtype}. Both must be "
                f"floating-point; leave {label} out."
            )
