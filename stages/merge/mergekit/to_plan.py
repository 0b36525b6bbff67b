"""A MergeKit document met with its models' headers: the plan that the engine carries out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from stages.checkpoint.reader import Checkpoint, TensorInfo
from stages.errors import GermlineError, RecipeError
from stages.hashing import content_hash
from stages.merge.architecture.child_config import config_of, folder_hash
from stages.merge.arithmetic.method import Method
from stages.merge.mergekit.method_spellings import Dialect, dialect_of
from stages.merge.mergekit.parameter_values import SettingsTable
from stages.merge.mergekit.rounding import in_dtype
from stages.merge.mergekit.schema import Config, Input, Reference
from stages.merge.mergekit.tokenizer_rule import vocabulary_of
from stages.merge.mergekit.unused_filters import unused_filters
from stages.merge.plan.compatibility import copied, misfits
from stages.merge.plan.layer_stacking import Row, stack
from stages.merge.plan.plan import DTYPES, FLOATING, Plan, Source, TensorPlan
from stages.merge.plugins import method_of
from stages.merge.tokenizers.row_moves import Rows
from stages.merge.tokenizers.vocabulary import Vocabulary
from stages.recipe.recipe import Model

VERSION = 4  # raised when the same document would give other bytes: part of every id
T = TypeVar("T")
_SPELLED = {spelled: name for name, spelled in DTYPES.items()}


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that a document names: its headers, and the name and hash that stand for it."""

    checkpoint: Checkpoint
    identity: Model


@dataclass(frozen=True, slots=True)
class Lowered:
    """A plan, and what the document says that has no effect, here as in MergeKit."""

    plan: Plan
    notes: tuple[str, ...]


def lower(config: Config, models: Mapping[Reference, Opened], *, seed: int) -> Lowered:
    """Return the plan of ``config`` on ``models``, one for each of its references.

    Raises:
        RecipeError: it cannot be carried out on them; every fault is listed, one a line.
    """
    return _Lowering(config, models).run(seed)


class _Lowering:
    """Makes the plan tensor by tensor; ``faults`` are kept in order, each once."""

    def __init__(self, config: Config, models: Mapping[Reference, Opened]) -> None:
        self._config = config
        self._models = models
        self._places = {reference: i for i, reference in enumerate(config.references)}
        self._opened = [models[reference] for reference in config.references]
        self._faults: dict[str, None] = {}
        self._method = method_of(config.method, config.where)
        self._dialect: Dialect = dialect_of(self._method.spec)
        self._table = SettingsTable(self._method, self._dialect, self._fault)
        self._compat: dict[str, Method] = {}
        self._vocabulary: Vocabulary | None = None

    def run(self, seed: int) -> Lowered:
        config = self._config
        adds_base = self._dialect.base != "frame"
        self._vocabulary = self._guarded(lambda: vocabulary_of(config, self._checkpoints))
        found = stack(config, self._checkpoints, adds_base=adds_base, fault=self._fault)
        planned = (self._tensor(row) for row in found.rows)
        tensors = sorted((t for t in planned if t is not None), key=lambda tensor: tensor.name)
        frame = self._opened[0].checkpoint
        vocabulary = self._vocabulary
        donor = vocabulary.models[vocabulary.owner] if vocabulary else frame
        made = self._guarded(
            lambda: config_of(config, frame, donor, found.origins, self._checkpoints)
        )
        if self._faults:
            raise RecipeError("\n".join(self._faults))
        child, dtype = made or ({}, "")
        child = vocabulary.config(child) if vocabulary else child
        companions = folder_hash(child, donor.folder)
        names = {reference: self._models[reference].identity.name for reference in self._places}
        hashes = {reference: self._models[reference].identity.hash for reference in self._places}
        shared = {"seed": seed, "version": VERSION, "companions": companions}
        shared |= {"vocabulary": vocabulary.id} if vocabulary else {}
        identities = tuple(opened.identity for opened in self._opened)
        document = {
            "config": config.to_dict(names.__getitem__),
            "models": [{"name": model.name, "hash": model.hash} for model in identities],
            **shared,
        }
        plan = Plan(
            label=config.where,
            id=content_hash({"config": config.to_dict(hashes.__getitem__), **shared}),
            document=document,
            method=self._method,
            seed=seed,
            dtype=dtype,
            models=tuple(opened.checkpoint for opened in self._opened),
            identities=identities,
            tensors=tuple(tensors),
            frame=frame,
            donor=donor,
            config=child,
            vocabulary=vocabulary,
        )
        return Lowered(plan, (*self._table.notes, *unused_filters(config, found.rows)))

    @property
    def _checkpoints(self) -> Mapping[Reference, Checkpoint]:
        return {reference: self._models[reference].checkpoint for reference in self._places}

    def _fault(self, message: str) -> None:
        self._faults[message] = None

    def _guarded(self, job: Callable[[], T]) -> T | None:
        try:
            return job()
        except GermlineError as error:
            self._fault(str(error))
            return None

    def _tensor(self, row: Row) -> TensorPlan | None:
        """Return the plan of one tensor, or None where something is at fault."""
        if row.is_copied:
            return self._copied(row)
        order = self._order(row)
        if order is None:
            return None
        inputs, names, has_base = order
        infos = [self._info(i, name) for i, name in zip(inputs, names, strict=True)]
        labels = [str(found.model) for found in inputs]
        faults = list(misfits(f"{row.where}, tensor {row.name}", infos, labels))
        for fault in faults:
            self._fault(str(fault))
        if faults:
            return None
        settings = self._table.settings(row, inputs[has_base:], names[has_base:])
        if settings is None:
            return None
        sources = tuple(
            Source(self._places[i.model], name, self._rows(i, row.name))
            for i, name in zip(inputs, names, strict=True)
        )
        info, method = infos[0], self._method
        if info.dtype in FLOATING and self._config.compat:
            method = self._compat_method(self._config.dtype or _spelled(info))
        info = self._made(info)
        return TensorPlan(row.name, info, method, sources, has_base, settings, row.is_in_layer)

    def _copied(self, row: Row) -> TensorPlan:
        place, theirs = self._places[row.inputs[0].model], row.names[0]
        info = self._opened[place].checkpoint.tensors[theirs]
        return copied(row.name, Source(place, theirs), info, self._made(info))

    def _made(self, info: TensorInfo) -> TensorInfo:
        """Return what the child's header will say of a tensor: floats take the dtype asked for."""
        if info.dtype not in FLOATING:
            return info
        saved = self._config.out_dtype or self._config.dtype
        return TensorInfo(DTYPES[saved] if saved else _saved(info), info.shape)

    def _info(self, found: Input, name: str) -> TensorInfo:
        """Return what a model's tensor is once its rows are where the child's tokens are."""
        if self._vocabulary is None:
            return self._models[found.model].checkpoint.tensors[name]
        return self._vocabulary.info(self._places[found.model], name)

    def _rows(self, found: Input, name: str) -> Rows | None:
        if self._vocabulary is None:
            return None
        vocabulary = self._vocabulary
        return self._guarded(lambda: vocabulary.rows(self._places[found.model], name))

    def _compat_method(self, dtype: str) -> Method:
        if dtype not in self._compat:
            self._compat[dtype] = in_dtype(self._method, dtype)
        return self._compat[dtype]

    def _order(self, row: Row) -> tuple[list[Input], list[str], bool] | None:
        """Return the inputs as the method takes them, and whether the first is its base."""
        pairs = list(zip(row.inputs, row.names, strict=True))
        role = self._dialect.base
        has_base = False
        if row.base is not None and role in ("apart", "first"):
            place = next((i for i, p in enumerate(pairs) if p[0].model == row.base), None)
            if place is None:
                self._fault(
                    f"{row.where}: the base {row.base} is not among the sources. Add it, with the "
                    "layers that the child's are compared with."
                )
                return None
            pairs.insert(0, pairs.pop(place))
            self._table.note_base(pairs[0][0])
            has_base = role == "apart"
        count = len(pairs) - has_base
        spec = self._method.spec
        low, high = (1, 1) if role == "frame" else (spec.min_parents, spec.max_parents)
        if count < low or (high is not None and count > high):
            legal = f"{low} or more" if high is None else low if low == high else f"{low}-{high}"
            kind = "models beside the base" if has_base else "models"
            self._fault(f"{row.where}: {count} {kind}. {spec.name} takes {legal}; change that.")
            return None
        return [p[0] for p in pairs], [p[1] for p in pairs], has_base


def _spelled(info: TensorInfo) -> str:
    return _SPELLED[_saved(info)]


def _saved(info: TensorInfo) -> str:
    """Return the dtype in which a tensor is saved where the document names none: its own."""
    return "F32" if info.dtype == "F64" else info.dtype
