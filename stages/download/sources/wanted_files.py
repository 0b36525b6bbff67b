"""Choose which files of a model or an adapter to fetch: weights, configuration, tokenizer."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from stages.checkpoint.companion_files import ALL, EMBEDDING_LIST
from stages.checkpoint.safetensors_header import check_pointer, read_json
from stages.checkpoint.weight_files import FIRST, WeightFiles, orphans
from stages.download.checks.legal_values import file_faults
from stages.errors import CheckpointError
from stages.hashing import nearest
from stages.licences import CARD

ADAPTER_CONFIG = "adapter_config.json"
_ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")  # the first that exists
# config.jsn and conifg.json are 0.9 like config.json and more, adapter_config.json is 0.73.
_MISSPELT = 0.8


def model_files(
    names: Iterable[str], weights: WeightFiles | None, *, with_code: bool = False
) -> tuple[str, ...]:
    """Return those of ``names`` that make up a model, sorted; ``with_code`` adds its Python files.

    Raises:
        CheckpointError: there is no config.json among ``names``, or there are no ``weights``.
    """
    listed = sorted(names)
    _check_config(listed, "config.json", "a model")
    if weights is None:
        raise CheckpointError(_no_weights(listed))
    plain = (*ALL, CARD, "*.py") if with_code else (*ALL, CARD)
    return tuple(sorted({*_matching(listed, plain), *weights.names}))


def adapter_files(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``names`` that make up a PEFT adapter, sorted.

    Raises:
        CheckpointError: there is no adapter_config.json, or no weights among ``names``.
    """
    listed = sorted(names)
    _check_config(listed, ADAPTER_CONFIG, "a PEFT adapter")
    weights = next((name for name in _ADAPTER_WEIGHTS if name in listed), None)
    if weights is None:
        raise CheckpointError(
            f"holds no weights. A PEFT adapter needs {' or '.join(_ADAPTER_WEIGHTS)}; it holds: "
            f"{', '.join(listed[:8])}."
        )
    return tuple(name for name in listed if name in (ADAPTER_CONFIG, weights, CARD))


def check_files(folder: Path, names: Iterable[str]) -> None:
    """Check that files are what their names say: valid JSON of legal values, not git-lfs pointers.

    Raises:
        CheckpointError: some are not; all are listed, one a line.
    """
    faults = []
    for name in sorted(names):
        try:
            check_pointer(folder / name)
            if name.endswith(".json") and name != EMBEDDING_LIST:  # which is a list
                illegal = file_faults(name, read_json(folder / name))
                faults += [f"{name}: {fault}. Fetch or save the model again." for fault in illegal]
        except CheckpointError as error:
            faults.append(str(error).removeprefix(f"{folder}/"))
    if faults:
        raise CheckpointError("\n".join(faults))


def _matching(listed: list[str], patterns: tuple[str, ...]) -> list[str]:
    # A pattern's * matches a slash too; a file counts only at the depth its pattern has.
    return [
        name
        for name in listed
        if any(fnmatchcase(name, p) and name.count("/") == p.count("/") for p in patterns)
    ]


def _check_config(listed: list[str], config: str, what: str) -> None:
    if config not in listed:
        own = [name for name in listed if "/" not in name]  # not those of models in its folders
        raise CheckpointError(
            f"holds no {config}, so it is not {what}.{nearest(config, own, least=_MISSPELT)} "
            f"It holds: {', '.join(listed[:8]) or 'nothing'}."
        )


def _no_weights(listed: list[str]) -> str:
    shards = orphans(listed)
    if shards:
        kind = ".bin" if shards[0].endswith(".bin") else ".safetensors"
        index = next(name for name in FIRST if name.endswith(f"{kind}.index.json"))
        return (
            f"holds shards ({', '.join(shards[:3])}) without {index}, which says what is in "
            "which. Fetch the index too, or save the model again."
        )
    return (
        "holds no weights. A model needs safetensors (or PyTorch .bin) files under their usual "
        f"names, which are {', '.join(FIRST)}; it holds: {', '.join(listed[:8])}."
    )
