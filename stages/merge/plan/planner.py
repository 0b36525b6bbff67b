"""A recipe met with its models' headers: what can be wrong is found before weights are read."""

from collections.abc import Sequence

from stages.checkpoint.reader import Checkpoint, TensorInfo
from stages.errors import RecipeError
from stages.merge.architecture.layout import Layout, layout_of
from stages.merge.architecture.tensor_matching import source_names
from stages.merge.arithmetic.method import Method
from stages.merge.outputs.model_files import child_config
from stages.merge.plan.compatibility import copied, misfits
from stages.merge.plan.plan import DTYPES, FLOATING, Plan, Source, TensorPlan
from stages.merge.plan.rule_settings import place_of, settings_of
from stages.merge.plugins import method_of
from stages.merge.tokenizers import Vocabulary
from stages.merge.tokenizers.recipe_tokenizer import vocabulary_of
from stages.recipe.recipe import MethodSpec, Recipe


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
    vocabulary = vocabulary_of(recipe, models, where)
    tensors = _tensors(recipe, method, models, vocabulary, where)
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


def _tensors(
    recipe: Recipe,
    method: Method,
    models: Sequence[Checkpoint],
    vocabulary: Vocabulary,
    where: str,
) -> list[TensorPlan]:
    """Return how each tensor of the child is made: merged, or copied from the first model."""
    labels = [model.name for model in (recipe.base, *recipe.parents) if model is not None]
    layout = layout_of(models[0])
    rows = source_names(models, labels, where, recipe.modules)
    settings = [
        settings_of(rule, method, len(recipe.parents), f"{where}, rule {place}")
        for place, rule in enumerate(recipe.rules)
    ]
    _check_layers(recipe, layout, where)
    tensors = []
    for name, info in models[0].tensors.items():
        if name not in rows:
            tensors.append(copied(name, Source(0, name), info, _info(info, recipe.dtype)))
            continue
        infos = [vocabulary.info(model, source) for model, source in enumerate(rows[name])]
        for error in misfits(f"{where}, tensor {name}", infos, labels):
            raise error
        place = place_of(name, recipe.rules, layout)
        if place is None:
            raise RecipeError(
                f"{where}, tensor {name}: no rule matches it. End the rules with one for all "
                "layers and components."
            )
        made = _info(infos[0], recipe.dtype)
        sources = tuple(
            Source(model, source, vocabulary.rows(model, name))
            for model, source in enumerate(rows[name])
        )
        has_base = recipe.base is not None
        is_in_layer = layout.layer_of(name) is not None
        tensors.append(
            TensorPlan(name, made, method, sources, has_base, settings[place], is_in_layer)
        )
    return tensors


def _info(info: TensorInfo, dtype: str) -> TensorInfo:
    """Return what the child's header will say: floats take the recipe's dtype."""
    return TensorInfo(DTYPES[dtype], info.shape) if info.dtype in FLOATING else info


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


def _check_layers(recipe: Recipe, layout: Layout, where: str) -> None:
    for place, rule in enumerate(recipe.rules):
        if rule.layers is not None and rule.layers[1] > layout.num_layers:
            raise RecipeError(
                f"{where}, rule {place}: layers is {list(rule.layers)}. The models have layers "
                f"0 to {layout.num_layers - 1}; end the rule at {layout.num_layers}."
            )
