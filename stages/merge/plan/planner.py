"""The only planner: a recipe met with its models' headers, before any weight is read.

What depends on the models and their arrangement alone is found once for all candidates of a
search; what depends on the rules is found for each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from stages.checkpoint.reader import Checkpoint
from stages.errors import Faults, RecipeError
from stages.merge.architecture.child_config import Origins, child_config
from stages.merge.architecture.components import component_of
from stages.merge.architecture.layout import layout_of
from stages.merge.arithmetic.method import Method, Settings
from stages.merge.arithmetic.stepwise_rounding import in_dtype
from stages.merge.methods import METHODS
from stages.merge.paths.layer_gains import folds_of
from stages.merge.plan.arrangement import Arrangement
from stages.merge.plan.child_rows import child_rows
from stages.merge.plan.compatibility import FittedRow, Fitting
from stages.merge.plan.plan import DTYPES, FLOATING, Fold, Plan, TensorPlan
from stages.merge.plan.recipe_checks import check_count, check_recipe
from stages.merge.plan.rule_settings import RuleBook, check_conditions, settings_of
from stages.merge.plugins import method_of
from stages.merge.tokenizers.recipe_tokenizer import vocabulary_of
from stages.merge.tokenizers.vocabulary import Vocabulary
from stages.recipe.recipe import Recipe, Rule

_COPY = METHODS["passthrough"]
_COPY_SETTINGS = settings_of(Rule({}), _COPY, 1)
_DTYPE_NAMES = {spelled: name for name, spelled in DTYPES.items()}


def plan(recipe: Recipe, models: Sequence[Checkpoint], *, label: str | None = None) -> Plan:
    """Return the plan of ``recipe`` on ``models``, one for each of its ancestors.

    ``label`` is what messages call the recipe; by default its id.

    Raises:
        RecipeError: it cannot be carried out on them. Every fault is listed, one a line, with
            the rule, or the tensor and the model.
        CheckpointError: every fault is of the models' files.
    """
    return _Planner(recipe, models, label or _label(recipe)).plan()


@dataclass(frozen=True)
class _Child:
    """The child's tensors, before rules say how they are merged; ``depths`` are of modules."""

    fitted: Sequence[tuple[FittedRow, str]]  # with the component
    main: tuple[str, ...]
    depths: Mapping[str, int]
    origins: Mapping[str, Origins]
    folds: Mapping[str, Fold]
    faults: Faults


@lru_cache(maxsize=4)  # the candidates of a search share one
def _child(
    arrangement: Arrangement,
    models: tuple[Checkpoint, ...],
    vocabulary: Vocabulary | None,
    dtype: str | None,
) -> _Child:
    layout = layout_of(models[0])
    merged = arrangement.merged_modules(layout)
    stacked = child_rows(arrangement, models)
    fitting = Fitting(models, arrangement.labels, vocabulary, dtype)
    faults = Faults()
    faults.include(stacked.faults)
    fitted = fitting.fit(stacked.rows, faults, is_whole=arrangement.is_whole)
    depths = dict.fromkeys(merged, 0)
    for row in stacked.rows:
        if row.layer is not None:
            depths[row.module] = max(depths[row.module], row.layer + 1)
    return _Child(
        [(one, component_of(one.row.key)) for one in fitted],
        tuple(n for n in merged if n == layout.main or not layout.is_composite),
        depths,
        stacked.origins,
        folds_of(stacked.rows, arrangement.layers, models[0], faults),
        faults,
    )


class _Planner:
    """Makes one plan; faults are collected and raised together."""

    def __init__(self, recipe: Recipe, models: Sequence[Checkpoint], label: str) -> None:
        self._recipe = recipe
        self._models = tuple(models)
        self._label = label
        self._faults = Faults()
        self._methods: list[Method] = []  # of each rule
        self._settings: dict[tuple[int, int], Settings | None] = {}

    def plan(self) -> Plan:
        recipe, models, faults = self._recipe, self._models, self._faults
        vocabulary: Vocabulary | None = None
        with faults.at(self._label):
            check_recipe(recipe, len(models), faults)
            self._read_rules()
        faults.raise_as(RecipeError)
        with faults.at(self._label):
            vocabulary = vocabulary_of(recipe, models)
        faults.raise_as(RecipeError)
        child = _child(Arrangement.of(recipe), models, vocabulary, recipe.dtype)
        owner = models[vocabulary.owner if vocabulary else 0]
        dtype = recipe.dtype or _dtype_of(models[0])
        tensors: list[TensorPlan] = []
        config: Mapping[str, object] = {}
        with faults.at(self._label):
            faults.include(child.faults)
            self._check_layers(child)
            tensors = self._tensors(child)
            with faults.at("config.json"):
                config = child_config(models, owner, dtype, child.origins)
        faults.raise_as(RecipeError)
        return Plan(
            label=self._label,
            recipe=recipe,
            method=method_of(recipe.method),
            dtype=dtype,
            models=models,
            tensors=tuple(tensors),
            owner=owner,
            config=vocabulary.config(config) if vocabulary else config,
            vocabulary=vocabulary,
        )

    def _read_rules(self) -> None:
        """Find the methods of the rules, and of whole models their settings."""
        recipe, faults = self._recipe, self._faults
        with faults.at(""):
            method_of(recipe.method)
        for index, rule in enumerate(recipe.rules):
            with faults.at(f"rule {index}"):
                check_conditions(rule)
                self._methods.append(method_of(rule.method or recipe.method))
        if faults:
            return
        for index in range(len(recipe.rules) if not recipe.layers else 0):
            self._settings_of(index, len(recipe.parents))

    def _settings_of(self, index: int, num_parents: int) -> Settings | None:
        """Return the settings of a rule for a number of parents; None where it is at fault."""
        key = (index, num_parents)
        if key not in self._settings:
            self._settings[key] = None
            with self._faults.at(f"rule {index}"):
                rule, method = self._recipe.rules[index], self._methods[index]
                self._settings[key] = settings_of(rule, method, num_parents)
        return self._settings[key]

    def _check_layers(self, child: _Child) -> None:
        for index, rule in enumerate(self._recipe.rules):
            if rule.layers is None:
                continue
            with self._faults.at(f"rule {index}"):
                if rule.module is not None and rule.module not in child.depths:
                    legal = ", ".join(child.depths)
                    raise RecipeError(f"module is {rule.module!r}. Merged are {legal}; change it.")
                modules = child.main if rule.module is None else (rule.module,)
                depth = max((child.depths[module] for module in modules), default=0)
                depth = depth or layout_of(self._models[0]).num_layers
                if rule.layers[1] > depth:
                    raise RecipeError(
                        f"layers is {list(rule.layers)}. The models have layers 0 to {depth - 1}; "
                        f"end the rule at {depth}."
                    )

    def _tensors(self, child: _Child) -> list[TensorPlan]:
        rules = RuleBook(self._recipe.rules, child.main)
        tensors: list[TensorPlan] = []
        unmatched: list[str] = []
        for fitted, component in child.fitted:
            row = fitted.row
            if row.is_copied:
                tensors.append(
                    TensorPlan(
                        row.name, fitted.info, _COPY, fitted.parents, False, _COPY_SETTINGS, False
                    )
                )
                continue
            index = rules.place(row.key, row.module, row.layer, component)
            if index is None:
                unmatched.append(row.name)
                continue
            settings = self._settings_of(index, len(fitted.parents))
            if settings is not None and self._is_counted(fitted, self._methods[index]):
                fold = child.folds.get(row.name)
                tensors.append(self._tensor(fitted, self._methods[index], settings, fold))
        self._refuse(unmatched)
        return tensors

    def _refuse(self, unmatched: Sequence[str]) -> None:
        """Take the tensors that no rule matches for one fault."""
        if unmatched:
            others = f", nor {len(unmatched) - 1} others" if len(unmatched) > 1 else ""
            with self._faults.at(f"tensor {unmatched[0]}"):
                self._faults.add(
                    f"no rule matches it{others}. End the rules with one for all layers and "
                    "components."
                )

    def _is_counted(self, fitted: FittedRow, method: Method) -> bool:
        """Return whether the method takes a slice's sources; what it lacks is a fault."""
        if not self._recipe.layers:
            return True  # check_recipe found it so for all of the child
        with self._faults.at(fitted.row.where or f"tensor {fitted.row.name}"):
            check_count(method.spec, len(fitted.parents), has_base=fitted.base is not None)
            return True
        return False

    def _tensor(
        self, fitted: FittedRow, method: Method, settings: Settings, fold: Fold | None
    ) -> TensorPlan:
        row, sources = fitted.row, fitted.exact or fitted.parents
        has_base = method.spec.reads_base and not fitted.exact
        if fitted.base is not None and has_base:
            sources = (fitted.base, *sources)
        has_base &= fitted.base is not None
        if self._recipe.rounding is not None and fitted.read.dtype in FLOATING:
            own = _DTYPE_NAMES["F32" if fitted.read.dtype == "F64" else fitted.read.dtype]
            rounding = self._recipe.rounding
            method = _rounded(method, own if rounding == "own" else rounding)
        return TensorPlan(
            row.name,
            fitted.info,
            method,
            sources,
            has_base,
            settings,
            is_in_layer=row.layer is not None,
            fold=fold,
        )


_rounded = lru_cache(maxsize=64)(in_dtype)  # equal methods are one: tensors are then merged as one


def _label(recipe: Recipe) -> str:
    try:
        return f"recipe {recipe.id[:12]}"
    except ValueError:  # it holds a number that JSON cannot carry, which is then the fault found
        return "recipe"


def _dtype_of(model: Checkpoint) -> str:
    """Return the dtype that a config names, or that of most of its weights."""
    said = model.config.get("dtype") or model.config.get("torch_dtype")
    if said in DTYPES:
        return str(said)
    sizes = dict.fromkeys(DTYPES, 0)
    for info in model.tensors.values():
        if info.dtype in _DTYPE_NAMES:
            sizes[_DTYPE_NAMES[info.dtype]] += info.num_bytes
    return max(sizes, key=lambda name: sizes[name])
