"""The library of the charts is bundled once, and what is kept of it is believed only if whole."""

from pathlib import Path

from stages.report.page.vega_bundle import kept_vega_bundle, vega_bundle


def test_bundle_is_kept_and_read_again(tmp_path: Path) -> None:
    """The second time it is the kept file, not a new bundle, that is read."""
    folder = tmp_path / "cache"
    assert vega_bundle() == kept_vega_bundle(folder)
    (path,) = folder.iterdir()
    written = path.stat().st_mtime_ns
    assert vega_bundle() == kept_vega_bundle(folder)
    assert written == path.stat().st_mtime_ns


def test_damaged_bundle_is_made_again(tmp_path: Path) -> None:
    """A kept file that is not what its name says is replaced."""
    kept_vega_bundle(tmp_path)
    (path,) = tmp_path.iterdir()
    for damage in (b"alert(1)", b"\xff"):
        path.write_bytes(damage)
        assert vega_bundle() == kept_vega_bundle(tmp_path) == path.read_text(encoding="utf-8")


def test_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    """The page is written all the same."""
    (tmp_path / "file").touch()
    assert vega_bundle() == kept_vega_bundle(tmp_path / "file" / "cache")
