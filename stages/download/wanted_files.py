"""Which files of a model or an adapter are fetched: weights, configuration and tokenizer."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from stages.errors import CheckpointError
from stages.hashing import nearest

INDEX = "model.safetensors.index.json"
_PLAIN = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "chat_template.jinja",
    "chat_template.json",
    "additional_chat_templates/*.jinja",
)
# As in transformers, the first set whose first file is there: never two copies of the weights.
_WEIGHTS = (
    ("model.safetensors",),
    (INDEX, "model-*-of-*.safetensors"),
    ("pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"),
    ("pytorch_model.bin",),
)
ADAPTER_CONFIG = "adapter_config.json"
_ADAPTER_WEIGHTS = (("adapter_model.safetensors",), ("adapter_model.bin",))


def model_files(names: Iterable[str], *, where: str, with_code: bool = False) -> tuple[str, ...]:
    """Return those of ``names`` that make up a model, sorted; ``with_code`` adds its Python files.

    Raises:
        CheckpointError: there is no config.json, or no weights among ``names``.
    """
    listed = sorted(names)
    plain = (*_PLAIN, "*.py") if with_code else _PLAIN
    found = [*_matching(listed, plain), *_weights(listed, _WEIGHTS)]
    return _complete(found, listed, "config.json", where, "a model")


def adapter_files(names: Iterable[str], *, where: str) -> tuple[str, ...]:
    """Return those of ``names`` that make up a PEFT adapter, sorted.

    Raises:
        CheckpointError: there is no adapter_config.json, or no weights among ``names``.
    """
    listed = sorted(names)
    found = [*_matching(listed, (ADAPTER_CONFIG,)), *_weights(listed, _ADAPTER_WEIGHTS)]
    return _complete(found, listed, ADAPTER_CONFIG, where, "a PEFT adapter")


def is_weights(name: str) -> bool:
    """Return whether ``name`` is a weight file or the index of one: the large or derived files."""
    return name.endswith((".safetensors", ".bin", ".index.json"))


def is_pickled(name: str) -> bool:
    """Return whether ``name`` holds pickled weights."""
    return name.endswith(".bin")


def _matching(listed: list[str], patterns: tuple[str, ...]) -> list[str]:
    # A pattern's * matches a slash too; a file counts only at the depth its pattern has.
    return [
        name
        for name in listed
        if any(fnmatchcase(name, p) and name.count("/") == p.count("/") for p in patterns)
    ]


def _weights(listed: list[str], sets: tuple[tuple[str, ...], ...]) -> list[str]:
    return next((found for s in sets if s[0] in listed and (found := _matching(listed, s))), [])


def _complete(
    found: list[str], listed: list[str], config: str, where: str, what: str
) -> tuple[str, ...]:
    if config not in found:
        raise CheckpointError(
            f"{where}: holds no {config}, so it is not {what}.{nearest(config, listed)} "
            f"It holds: {', '.join(listed[:8]) or 'nothing'}."
        )
    if not any(is_weights(name) for name in found):
        raise CheckpointError(
            f"{where}: holds no weights. {what.capitalize()} needs safetensors (or PyTorch .bin) "
            f"files under their usual names; it holds: {', '.join(listed[:8])}."
        )
    return tuple(sorted(set(found)))
