"""Read another tool's file and write params.yaml, which passes the check of its keys."""

from pathlib import Path
from typing import Any

import yaml

from flows.workspace.imports.experiment_params import experiment_params
from flows.workspace.imports.genome_params import genome_params
from flows.workspace.imports.imported_params import ImportedParams
from stages.checkpoint.safetensors_header import read_json
from stages.download.manifest import PARENTS
from stages.download.sources.model_requests import requests
from stages.errors import GermlineError, ParamsError, at
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
        genome = document["genome"]
        own = genome.get("base_model") if isinstance(genome, dict) else None
        return genome_params(document, base, num_layers or _num_layers(own or base))
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


def _num_layers(base: Any) -> int | None:
    """Return how many layers a model on this machine has; None where it is not here."""
    folder = Path(str(base)).expanduser()
    if base is None or not (folder / "config.json").is_file():
        return None
    try:
        config = read_json(folder / "config.json")
    except GermlineError:
        return None
    value = config.get("num_hidden_layers")
    return value if isinstance(value, int) else None
