"""What the items of a lineage ask: their prompts, built again from the tasks of params.yaml."""

from collections.abc import Iterable
from pathlib import Path

from flows.inspection.project_folder import at_project
from stages.errors import LineageError
from stages.lineage.evaluation import SPLITS
from stages.params.load import load_params


def item_texts(folder: Path, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the prompts of items of the project in ``folder``, by task and item.

    lm-eval is loaded for it, which takes seconds; no model is needed. A chat template is left out.

    Raises:
        GermlineError: params.yaml or a task cannot be read, or it has other items.
    """
    from stages.evaluate.arguments.prompt_arguments import PromptArguments
    from stages.evaluate.prompts import build
    from stages.evaluate.quiet_lm_eval import sealed
    from stages.evaluate.tasks.suite import Suite

    missing = set(wanted)
    texts: dict[tuple[str, str], str] = {}
    with at_project(folder):
        params = load_params().evaluate.model_copy(update={"apply_chat_template": False})
        suite = Suite.load(params)
        for part in (part for split in SPLITS for part in suite.parts[split]):
            places = {i: p for i, p in part.places.items() if (part.label, i) in missing}
            if not places:
                continue
            with sealed():
                prompts = build(part.label, part.loaded, places, PromptArguments.of(params))
            for item, asked in prompts.instances.items():
                texts[part.label, item] = str(asked[0].args[0])
            missing -= {(part.label, item) for item in places}
    if missing:
        task, item = min(missing)
        raise LineageError(
            f"task {task}: has no item {item}, which the lineage was scored on. The task or its "
            "data have changed since; restore them, or leave --text out."
        )
    return texts
