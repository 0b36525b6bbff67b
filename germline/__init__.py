"""Reproducible evolutionary merging of language models: all that users and plug-ins import.

Nothing else is public: ``stages`` and ``flows`` may move. A name is looked up where it is first
used, so that ``import germline`` is quick and loads neither torch nor Prefect.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.notebook.merge_models import MergeResult, merge
    from flows.notebook.project_lineage import Lineage, load_lineage
    from flows.notebook.search_run import SearchResult, search
    from stages.errors import (
        CheckpointError,
        EvaluationError,
        GermlineError,
        LineageError,
        ParamsError,
        RecipeError,
        ServiceError,
    )
    from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
    from stages.merge.arithmetic.parameters import DENSITY, SCALE, WEIGHT, choice, normalize
    from stages.merge.arithmetic.task_vector_sums import added, elected
    from stages.params.load import Params, load_params
    from stages.recipe.method_spec import MethodSpec, Parameter
    from stages.recipe.recipe import Model, Recipe, Rule

_HOMES = {
    "flows.notebook.merge_models": ("MergeResult", "merge"),
    "flows.notebook.project_lineage": ("Lineage", "load_lineage"),
    "flows.notebook.search_run": ("SearchResult", "search"),
    "stages.errors": (
        "CheckpointError",
        "EvaluationError",
        "GermlineError",
        "LineageError",
        "ParamsError",
        "RecipeError",
        "ServiceError",
    ),
    "stages.merge.arithmetic.method": ("Kernel", "Method", "Settings", "Sources"),
    "stages.merge.arithmetic.parameters": ("DENSITY", "SCALE", "WEIGHT", "choice", "normalize"),
    "stages.merge.arithmetic.task_vector_sums": ("added", "elected"),
    "stages.params.load": ("Params", "load_params"),
    "stages.recipe.method_spec": ("MethodSpec", "Parameter"),
    "stages.recipe.recipe": ("Model", "Recipe", "Rule"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [  # sorted(_HOME_OF), which a test compares
    "DENSITY",
    "SCALE",
    "WEIGHT",
    "CheckpointError",
    "EvaluationError",
    "GermlineError",
    "Kernel",
    "Lineage",
    "LineageError",
    "MergeResult",
    "Method",
    "MethodSpec",
    "Model",
    "Parameter",
    "Params",
    "ParamsError",
    "Recipe",
    "RecipeError",
    "Rule",
    "SearchResult",
    "ServiceError",
    "Settings",
    "Sources",
    "added",
    "choice",
    "elected",
    "load_lineage",
    "load_params",
    "merge",
    "normalize",
    "search",
]


def __getattr__(name: str) -> object:
    """Return a public name from the module that holds it."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'germline' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def _load_own(name: str) -> None:
    """Load germline's package ``name`` from next to this one, even if another has that name.

    A user's own folder ``flows`` or ``stages`` in the working directory would otherwise be found
    first.

    Raises:
        ImportError: another package of that name was imported before.
    """
    folder = Path(__file__).parents[1] / name
    loaded = sys.modules.get(name)
    if loaded is not None:
        places = [Path(path).resolve() for path in getattr(loaded, "__path__", ())]
        if folder.resolve() in places:
            return
        raise ImportError(
            f"germline has a package {name!r} of its own, and another one was imported before it "
            f"from {loaded.__file__}. Import germline first, or rename the other."
        )
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder}: not a package. Install germline again.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


_load_own("stages")
_load_own("flows")
