"""Vega, Vega-Lite and vega-embed as one script, which takes vl-convert two seconds to bundle."""

import contextlib
import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from stages.files import write_whole


@cache
def vega_bundle() -> str:
    """Return the script, in the version of the specifications: charts mean what Altair wrote."""
    import vl_convert

    # None, which its stubs leave out: exports vegaEmbed, vega and vegaLite to the window
    bundle = vl_convert.javascript_bundle(None, vega_lite_version())  # type: ignore[arg-type]
    if "</script" in bundle:
        raise ValueError("the bundle of Vega would end its script element early")
    return bundle


def kept_vega_bundle(folder: Path) -> str:
    """Return ``vega_bundle()``, which is kept in ``folder``; it bundles where none or damaged.

    A folder that cannot be written keeps nothing.
    """
    stem = f"vega-{vega_lite_version()}-{version('vl-convert-python')}"
    for path in folder.glob(f"{stem}.*.js"):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            kept = path.read_text(encoding="utf-8")
            if path.name == _file_name(stem, kept):
                return kept
    bundle = vega_bundle()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / _file_name(stem, bundle), bundle)
    return bundle


def vega_lite_version() -> str:
    """Return the version of Altair's specifications, as vl-convert names it."""
    import altair as alt

    return ".".join(alt.VEGALITE_VERSION.split(".")[:2])


def _file_name(stem: str, bundle: str) -> str:
    return f"{stem}.{hashlib.sha256(bundle.encode()).hexdigest()[:32]}.js"
