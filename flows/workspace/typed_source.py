"""What a person typed as the source of a model, judged before anything is made or fetched."""

from pathlib import Path

_HUB_PARTS = 2  # ORG/NAME
_SPELT = ("zoo:", "run:")
_MOST_LISTED = 8


def source_fault(text: str) -> str | None:
    """Return why ``text`` cannot be a model: it can only be a folder, and there is none.

    None where it is a folder, or may be a model of the hub or of the zoo.
    """
    typed = text.split("+", maxsplit=1)[0].strip()
    if typed.startswith(_SPELT):
        return None
    folder = Path(typed.removeprefix("local:")).expanduser()
    is_path = typed.startswith((".", "/", "~", "local:")) or len(folder.parts) > _HUB_PARTS
    # models/mine, where models is a folder here
    is_path |= "@" not in typed and len(folder.parts) == _HUB_PARTS and folder.parent.is_dir()
    is_word = not is_path and not set("/:@") & set(typed)
    if not (is_path or is_word) or folder.is_dir():
        return None
    more = " a model of the hub is ORG/NAME, or NAME@REVISION;" if is_word else ""
    return f"no such folder;{more}{_models_near(folder)}"


def is_of_hub(text: str) -> bool:
    """Return whether ``text`` is taken for a model of the hub though it names no revision."""
    typed = text.split("+", maxsplit=1)[0].strip()
    return not set(":@") & set(typed) and not Path(typed).expanduser().is_dir()


def _models_near(folder: Path) -> str:
    above = folder.parent if folder.parent.is_dir() else Path()
    near = sorted(path.name for path in above.iterdir() if (path / "config.json").is_file())
    where = "here" if above == Path() else f"in {above}"
    if not near:
        return f" no model is {'in this folder' if above == Path() else where}"
    return f" models {where}: {', '.join(near[:_MOST_LISTED])}"
