"""Read another tool's file and write params.yaml, which passes the check of its keys."""

from pathlib import Path
from typing import Any

import yaml

from flows.workspace.imports.experiment_params import experiment_params
from flows.workspace.imports.genome_params import genome_params
from flows.workspace.imports.imported_params import ImportedParams
from stages.download.manifest import PARENTS
from stages.download.sources.model_requests import requests
from stages.errors import ParamsError, at
from stages.files import text_of, write_whole
from stages.params.load import Params, validated
from stages.select.final.baselines import check_names
from stages.yaml_text import document_in

_HEAD = "# Made by `germline import` from {name}; germline's docs/params.md describes every key.\n"


def import_search(
    source: Path, out: Path, base: str | None, num_layers: int | None
) -> ImportedParams:
    """Write the params of the search in ``source`` to the new file ``out``.

    Raises:
        ParamsError: the file is of a kind that is not known, or cannot be carried over.
    """
    if out.exists():
        raise ParamsError(f"{out}: exists. Give another --out, or move it away.")
    document = _read(source)
    with at(str(source)):
        imported = _imported(document, base, num_layers)
        params = validated(Params, imported.sections, "params.yaml")
        requests(params.download, PARENTS)
        check_names(list(params.download.parents), ())
    body = "\n".join(
        yaml.safe_dump({name: section}, sort_keys=False, width=99, allow_unicode=True)
        for name, section in imported.sections.items()
    )
    write_whole(out, _HEAD.format(name=source.name) + body)
    return imported


def _imported(
    document: dict[str, Any], base: str | None, num_layers: int | None
) -> ImportedParams:
    """Return the params that a file of either tool gives; its keys say whose it is."""
    if "genome" in document:
        return genome_params(document, base, num_layers)
    if {"pop_size", "n_iter"} & document.keys():
        return experiment_params(document, base)
    raise ParamsError(
        "neither a genome file of MergeKit's evolve, which has the keys genome and tasks, nor an "
        "experiment file of Mergenetic, which has pop_size and n_iter. For one merge of a "
        "MergeKit file use `germline merge`."
    )


def _read(source: Path) -> dict[str, Any]:
    try:
        document = document_in(text_of(source))
    except FileNotFoundError as error:
        raise ParamsError(f"{source}: no such file. Give the file of a search.") from error
    except ValueError as error:
        raise ParamsError(f"{source}: {error}. Fix the file there.") from error
    plain = None if document is None else document.plain()
    if not isinstance(plain, dict):
        raise ParamsError(
            f"{source}: holds no keys. Give a file of MergeKit's evolve or Mergenetic."
        )
    return plain
