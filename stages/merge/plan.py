"""A recipe met with its models' headers: what can be wrong is found before weights are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.checkpoint import Checkpoint, TensorInfo
from stages.errors import CheckpointError, RecipeError
from stages.merge.heads import source_names
from stages.merge.method import Method, Settings
from stages.merge.plugins import method_of
from stages.merge.rules import place_of, settings_of
from stages.recipe import MethodSpec, Recipe

DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
FLOATING = ("F64", "F32", "F16", "BF16")
EXACT = ("BOOL", "U8", "I8", "I16", "I32", "I64")


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """How one tensor of the child is made; ``sources`` names it in the base and each parent."""

    name: str
    info: TensorInfo
    sources: tuple[str, ...]
    settings: Settings

    @property
    def is_exact(self) -> bool:
        """True for integers and booleans, which are copied and never merged."""
        return self.info.dtype in EXACT


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe that can be carried out; ``tensors`` are the child's, sorted by name."""

    recipe: Recipe
    method: Method
    base: Checkpoint | None
    parents: tuple[Checkpoint, ...]
    tensors: tuple[TensorPlan, ...]

    @property
    def models(self) -> tuple[Checkpoint, ...]:
        """The base, if there is one, and the parents."""
        return (self.base, *self.parents) if self.base is not None else self.parents

    @property
    def frame(self) -> Checkpoint:
        """The model whose tensors, config and architecture the child has: base or first parent."""
        return self.models[0]

    @property
    def outputs(self) -> Mapping[str, TensorInfo]:
        """What a header will say of the child's tensors, sorted by name."""
        return {tensor.name: tensor.info for tensor in self.tensors}


def plan(recipe: Recipe, base: Checkpoint | None, parents: Sequence[Checkpoint]) -> Plan:
    """Return the plan of ``recipe`` on these models.

    Raises:
        RecipeError: the recipe cannot be carried out on them; the message names the rule, or the
            tensor and the model.
    """
    where = _label(recipe)
    method = _method(recipe, where)
    _check_models(recipe, method.spec, base, parents, where)
    models = [base, *parents] if base is not None else list(parents)
    recipe_models = (recipe.base, *recipe.parents) if recipe.base else recipe.parents
    labels = [model.name for model in recipe_models]
    rows = source_names(models, labels, where)
    settings = [
        settings_of(rule, method, len(parents), f"{where}, rule {place}")
        for place, rule in enumerate(recipe.rules)
    ]
    _check_layers(recipe, models[0], where)
    tensors = []
    for name, names in rows.items():
        info = _merged_info(f"{where}, tensor {name}", names, models, labels)
        place = place_of(name, recipe.rules)
        if place is None:
            raise RecipeError(
                f"{where}, tensor {name}: no rule matches it. End the rules with one for all "
                "layers and components."
            )
        if info.dtype in FLOATING:
            info = TensorInfo(DTYPES[recipe.dtype], info.shape)
        tensors.append(TensorPlan(name, info, names, settings[place]))
    return Plan(recipe, method, base, tuple(parents), tuple(tensors))


def _label(recipe: Recipe) -> str:
    try:
        return f"recipe {recipe.id[:12]}"
    except ValueError:  # it holds a number that JSON cannot carry, which is then the fault found
        return "recipe"


def _method(recipe: Recipe, where: str) -> Method:
    method = method_of(recipe.method, where)
    if recipe.dtype not in DTYPES:
        raise RecipeError(f"{where}: dtype is {recipe.dtype!r}. Legal are {', '.join(DTYPES)}.")
    return method


def _check_models(
    recipe: Recipe,
    spec: MethodSpec,
    base: Checkpoint | None,
    parents: Sequence[Checkpoint],
    where: str,
) -> None:
    if spec.needs_base and (recipe.base is None or base is None):
        raise RecipeError(f"{where}: no base. {spec.name} adds to a base; name one.")
    if (recipe.base is None) != (base is None) or len(recipe.parents) != len(parents):
        raise RecipeError(
            f"{where}: names {len(recipe.parents)} parents and "
            f"{'a' if recipe.base else 'no'} base, got {len(parents)} and "
            f"{'no base' if base is None else 'a base'}. Give the models that it names."
        )
    low, high = spec.min_parents, spec.max_parents
    if len(parents) < low or (high is not None and len(parents) > high):
        legal = f"{low} or more" if high is None else f"{low} to {high}" if low < high else low
        raise RecipeError(f"{where}: {len(parents)} parents. {spec.name} merges {legal}.")
    names = {"base", *(parent.name for parent in recipe.parents)}
    if recipe.tokenizer not in names:
        raise RecipeError(
            f"{where}: tokenizer is {recipe.tokenizer!r}. Legal are {', '.join(sorted(names))}."
        )


def _check_layers(recipe: Recipe, frame: Checkpoint, where: str) -> None:
    for place, rule in enumerate(recipe.rules):
        if rule.layers is not None and rule.layers[1] > frame.num_layers:
            raise RecipeError(
                f"{where}, rule {place}: layers is {list(rule.layers)}. The models have layers "
                f"0 to {frame.num_layers - 1}; end the rule at {frame.num_layers}."
            )


def _merged_info(
    where: str, names: Sequence[str], models: Sequence[Checkpoint], labels: Sequence[str]
) -> TensorInfo:
    """Return what the first model's header says of a tensor that all models can merge.

    Raises:
        RecipeError: the models' tensors differ in shape or in kind, or cannot be merged.
    """
    first = models[0].tensors[names[0]]
    for model, label, source in zip(models, labels, names, strict=True):
        info = model.tensors[source]
        if info.shape != first.shape:
            raise RecipeError(
                f"{where}: {label} has shape {list(info.shape)}, {labels[0]} has "
                f"{list(first.shape)}. Merged models have equal shapes; leave {label} out."
            )
        if (info.dtype in FLOATING) != (first.dtype in FLOATING):
            raise RecipeError(
                f"{where}: {label} holds {info.dtype}, {labels[0]} holds {first.dtype}. Both must "
                f"be floating-point; leave {label} out."
            )
    if first.dtype not in (*FLOATING, *EXACT):
        raise CheckpointError(
            f"{models[0].folder}: tensor {names[0]} is quantised to {first.dtype}. Merges need "
            f"{', '.join(FLOATING)}; dequantise the model first."
        )
    return first
