"""A recipe met with its models' headers: what can be wrong is found before weights are read."""

from collections.abc import Sequence

from stages.checkpoint import Checkpoint, TensorInfo
from stages.errors import CheckpointError, RecipeError
from stages.hashing import nearest
from stages.merge.companions import child_config
from stages.merge.heads import source_names
from stages.merge.method import Method
from stages.merge.methods import METHODS
from stages.merge.plan import DTYPES, EXACT, FLOATING, Plan, Source, TensorPlan
from stages.merge.rules import place_of, settings_of
from stages.merge.tokenizers import Vocabulary
from stages.merge.tokenizers.pinning import vocabulary_of
from stages.recipe import MethodSpec, Recipe


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
    identities = (recipe.base, *recipe.parents) if recipe.base else recipe.parents
    labels = [model.name for model in identities]
    vocabulary = vocabulary_of(recipe, models, where)
    rows = source_names(models, labels, where)
    settings = [
        settings_of(rule, method, len(parents), f"{where}, rule {place}")
        for place, rule in enumerate(recipe.rules)
    ]
    _check_layers(recipe, models[0], where)
    tensors = []
    for name, names in rows.items():
        info = _merged_info(f"{where}, tensor {name}", names, models, labels, vocabulary)
        place = place_of(name, recipe.rules)
        if place is None:
            raise RecipeError(
                f"{where}, tensor {name}: no rule matches it. End the rules with one for all "
                "layers and components."
            )
        if info.dtype in FLOATING:
            info = TensorInfo(DTYPES[recipe.dtype], info.shape)
        sources = tuple(
            Source(model, source, vocabulary.rows(model, name))
            for model, source in enumerate(names)
        )
        tensors.append(TensorPlan(name, info, method, sources, base is not None, settings[place]))
    frame, donor = models[0], models[vocabulary.owner]
    return Plan(
        label=where,
        id=recipe.id,
        document=recipe.to_dict(),
        method=method,
        seed=recipe.seed,
        dtype=recipe.dtype,
        models=tuple(models),
        identities=identities,
        tensors=tuple(tensors),
        frame=frame,
        donor=donor,
        config=vocabulary.config(child_config(frame, donor, recipe.dtype)),
        vocabulary=vocabulary,
    )


def _label(recipe: Recipe) -> str:
    try:
        return f"recipe {recipe.id[:12]}"
    except ValueError:  # it holds a number that JSON cannot carry, which is then the fault found
        return "recipe"


def _method(recipe: Recipe, where: str) -> Method:
    if recipe.method not in METHODS:
        legal = sorted(METHODS)
        raise RecipeError(
            f"{where}: unknown method {recipe.method!r}. Legal are {', '.join(legal)}."
            f"{nearest(recipe.method, legal)}"
        )
    if recipe.dtype not in DTYPES:
        raise RecipeError(f"{where}: dtype is {recipe.dtype!r}. Legal are {', '.join(DTYPES)}.")
    return METHODS[recipe.method]


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


def _check_layers(recipe: Recipe, frame: Checkpoint, where: str) -> None:
    for place, rule in enumerate(recipe.rules):
        if rule.layers is not None and rule.layers[1] > frame.num_layers:
            raise RecipeError(
                f"{where}, rule {place}: layers is {list(rule.layers)}. The models have layers "
                f"0 to {frame.num_layers - 1}; end the rule at {frame.num_layers}."
            )


def _merged_info(
    where: str,
    names: Sequence[str],
    models: Sequence[Checkpoint],
    labels: Sequence[str],
    vocabulary: Vocabulary,
) -> TensorInfo:
    """Return what the first model's header says of a tensor that all models can merge.

    Raises:
        RecipeError: the models' tensors differ in shape or in kind, or cannot be merged.
    """
    infos = [vocabulary.info(model, name) for model, name in enumerate(names)]
    first = infos[0]
    for label, info in zip(labels, infos, strict=True):
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
