"""The tokenizer files of a child: those of a model, with the changes that were asked for."""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stages.checkpoint.companion_files import CHAT, TOKENIZER_SETTINGS, VOCABULARY
from stages.checkpoint.safetensors_header import read_json
from stages.merge.tokenizers.chat_templates import TEMPLATE_FILE

_CONFIG = "tokenizer_config.json"


def write_tokenizer(
    owner: Path,
    folder: Path,
    *,
    joined: Mapping[str, Any] | None = None,
    chat_template: str | None = None,
) -> None:
    """Write the tokenizer of ``owner`` to ``folder``; what is given replaces what it has.

    ``joined`` is the content of a tokenizer.json, ``chat_template`` a Jinja text.
    """
    patterns = [*TOKENIZER_SETTINGS]
    patterns += VOCABULARY if joined is None else ()
    patterns += CHAT if chat_template is None else ()
    copy_matching(owner, patterns, folder)
    if joined is not None:
        write_json(folder / "tokenizer.json", joined)
    if chat_template is not None:
        (folder / TEMPLATE_FILE).write_text(chat_template, encoding="utf-8")
    _amend(folder / _CONFIG, joined, chat_template)


def copy_matching(source: Path, patterns: Iterable[str], folder: Path) -> None:
    """Copy the files of a folder that match patterns, to where they were in it."""
    for pattern in patterns:
        for path in sorted(source.glob(pattern)):
            target = folder / path.relative_to(source).parent
            target.mkdir(exist_ok=True)
            copy(path, target)


def copy(path: Path, folder: Path) -> None:
    """Copy the bytes of a file into ``folder``, and nothing of its dates or rights."""
    shutil.copyfile(path, folder / path.name)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write an object as JSON: equal content gives equal bytes."""
    path.write_text(json.dumps(data, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _amend(path: Path, joined: Mapping[str, Any] | None, chat_template: str | None) -> None:
    """Take out of tokenizer_config.json what the files next to it now say otherwise."""
    if not path.is_file():
        return
    config = read_json(path)
    amended = dict(config)
    if chat_template is not None:
        amended.pop("chat_template", None)
    if joined is not None and "added_tokens_decoder" in config:
        amended["added_tokens_decoder"] = {
            str(token["id"]): {name: token[name] for name in token if name != "id"}
            for token in joined["added_tokens"]
        }
    if amended != config:
        write_json(path, amended)
