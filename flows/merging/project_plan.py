"""Plans a recipe of the lineage on the models that the project has downloaded."""

from flows.execution.candidates.parent_models import ParentModels
from stages.download.manifest import PARENTS, Parents
from stages.errors import LineageError
from stages.merge import plugins
from stages.merge.plan.plan import Plan
from stages.params.merge_params import MergeParams
from stages.recipe.recipe import Recipe


def project_plan(recipe: Recipe, merge: MergeParams) -> Plan:
    """Return the plan of a recipe of the project in the working directory.

    Raises:
        GermlineError: the project has other models than the recipe, or cannot merge it.
    """
    plugins.load(merge.plugins)
    parents = Parents.read(PARENTS)
    hashes = {parent.hash for parent in parents}
    missing = sorted({model.name for model in recipe.models if model.hash not in hashes})
    if missing:
        raise LineageError(
            f"was merged from other weights of {', '.join(missing)} than {PARENTS} holds. Fetch "
            "those of the run: restore params.yaml and parents.lock, and run `dvc repro download`."
        )
    return ParentModels(parents).plan(recipe)
