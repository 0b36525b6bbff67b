"""params.yaml of a project from what Python hands over: a path, plain data, or ``Params``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from flows.inspection.runs.run_holder import check_nobody_runs
from stages.errors import ParamsError
from stages.files import write_whole
from stages.params.load import PARAMS_PATH, Params, load_params, validated

PIPELINE = "dvc.yaml"
_HEAD = "# Written by germline.search. Every key is described in docs/params.md.\n"


def project_of(
    params: str | Path | Mapping[str, Any] | Params, folder: str | Path | None, *, overwrite: bool
) -> tuple[Path, Params]:
    """Return the folder of the project, whose params.yaml then says ``params``, and these.

    A file that says the same is left as it is, with its comments.

    Raises:
        ParamsError: the params are not legal, the folder is not a project, or its params.yaml says
            something else and may not be overwritten.
        GermlineError: another run is at work in the project.
    """
    if isinstance(params, str | Path):
        path = Path(params) / PARAMS_PATH if Path(params).is_dir() else Path(params)
        wanted, home = load_params(path), path.parent
    else:
        wanted, home = _validated(params), Path()
    project = home if folder is None else Path(folder)
    if not (project / PIPELINE).is_file():
        raise ParamsError(
            f"{project}: not a project: there is no {PIPELINE}. Give the folder of one as folder; "
            "`germline new DIR` makes one."
        )
    check_nobody_runs(project)
    target = project / PARAMS_PATH
    if target.is_file():
        if _says(target, wanted):
            return project, wanted
        if not overwrite:
            raise ParamsError(
                f"{target}: says something else than the params that are given. Give "
                "overwrite=True to have it replaced, or another project as folder."
            )
    write_whole(target, _HEAD + _text(wanted))
    return project, wanted


def _validated(params: Mapping[str, Any] | Params) -> Params:
    if isinstance(params, Params):
        return params
    if not isinstance(params, Mapping):
        raise ParamsError(
            f"params: got a {type(params).__name__}. Give the path to a params.yaml, its data, or "
            "what germline.load_params returned."
        )
    return validated(Params, params, "params")


def _text(params: Params) -> str:
    """Return what was set as YAML, with all sections, and all keys of merge: dvc.yaml names some.

    Defaults are left out elsewhere: some keys may only be given where others are.
    """
    given = params.model_dump(mode="json", exclude_unset=True)
    data = {section: given.get(section, {}) for section in Params.model_fields}
    data["merge"] = params.merge.model_dump(mode="json")
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def _says(path: Path, params: Params) -> bool:
    try:
        return load_params(path) == params
    except ParamsError:
        return False
