"""Merges what ``germline merge`` is given: a MergeKit file, a recipe, or a child's folder."""

from flows.merging.merge_file import merge_file, preview_file
from flows.merging.merge_job import Job
from flows.merging.merge_recipe import export_recipe, is_recipe, merge_recipe, preview_recipe
from stages.errors import RecipeError
from stages.merge.outputs.preview import Preview


def preview(job: Job) -> Preview:
    """Return what ``merge`` would do; no weight is merged and none written.

    Raises:
        GermlineError: something is not legal or does not fit; every fault is listed.
    """
    return preview_recipe(job) if is_recipe(job.source) else preview_file(job)


def export(job: Job) -> None:
    """Write the recipe to the file ``job.out`` in MergeKit's language.

    Raises:
        GermlineError: that language cannot say it, or it is not legal or does not fit.
    """
    job.check_out()
    if not is_recipe(job.source):
        raise RecipeError(f"{job.source.name}: is a MergeKit file already. Give a recipe.")
    job.out.write_text(export_recipe(job), encoding="utf-8")


def merge(job: Job) -> str:
    """Merge; return the weights hash of the model that is then at ``job.out``.

    Raises:
        GermlineError: something is not legal or does not fit, or there is no room for it.
    """
    job.check_out()
    return merge_recipe(job) if is_recipe(job.source) else merge_file(job)
