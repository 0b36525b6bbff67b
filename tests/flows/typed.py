"""The germline command as a person types it, in this process."""

from pathlib import Path

from click.testing import CliRunner, Result

from flows.cli.main import main


def merged(text: str, *options: str, out: str = "out", code: int = 0) -> Result:
    """Run ``germline merge`` on a text; it must end with ``code``."""
    Path("merge.yml").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["merge", "merge.yml", out, *options])
    assert code == result.exit_code, result.output
    return result


def said_by(result: Result) -> str:
    """Return what a command printed, as one line."""
    return result.stdout.replace("\n", " ")
