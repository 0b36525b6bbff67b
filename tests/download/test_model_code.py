"""A model's own Python code stays where it is, unless params.yaml trusts it."""

from pathlib import Path

import pytest

from tests.download.conftest import params, run


@pytest.mark.parametrize("is_trusted", [False, True])
def test_code_of_a_model_is_left_out_unless_it_is_trusted(project: Path, is_trusted: bool) -> None:
    """So nothing that loads the fetched model can run it."""
    code = project / "data/zoo/math/modeling_mine.py"
    code.write_text("raise SystemExit", encoding="utf-8")

    run(params().model_copy(update={"trust_remote_code": is_trusted}), Path("out"))

    assert is_trusted is Path("out/math/modeling_mine.py").exists()
