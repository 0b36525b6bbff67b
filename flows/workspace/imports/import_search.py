"""Read another tool's file and write params.yaml, which passes the check of its keys."""

from pathlib import Path
from typing import Any

import yaml

from flows.workspace.imports.genome_params import ImportedParams, genome_params
from stages.checkpoint.safetensors_header import read_json
from stages.errors import GermlineError, ParamsError, at
from stages.files import text_of, write_whole
from stages.params.load import Params, validated
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
    if "genome" not in document:
        raise ParamsError(
            f"{source}: not a genome file of MergeKit's evolve, which has the keys genome and "
            "tasks. Mergenetic's experiment files are not read; for one merge of a MergeKit file "
            "use `germline merge`."
        )
    genome = document["genome"]
    own = genome.get("base_model") if isinstance(genome, dict) else None
    with at(str(source)):
        imported = genome_params(document, base, num_layers or _num_layers(own or base))
        validated(Params, imported.sections, "params.yaml")
    body = "\n".join(
        yaml.safe_dump({name: section}, sort_keys=False, width=99, allow_unicode=True)
        for name, section in imported.sections.items()
    )
    write_whole(out, _HEAD.format(name=source.name) + body)
    return imported


def _read(source: Path) -> dict[str, Any]:
    try:
        document = document_in(text_of(source))
    except FileNotFoundError as error:
        raise ParamsError(f"{source}: no such file. Give a genome file.") from error
    except ValueError as error:
        raise ParamsError(f"{source}: {error}. Fix the file there.") from error
    plain = None if document is None else document.plain()
    if not isinstance(plain, dict):
        raise ParamsError(f"{source}: holds no keys. Give a genome file of MergeKit's evolve.")
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
