"""``germline audit`` before it is at work."""

import subprocess
import sys
from pathlib import Path


def test_audit_outside_a_project_says_so_before_it_loads_anything(tmp_path: Path) -> None:
    """The first line is the fault; PyTorch takes seconds."""
    words = [sys.executable, "-m", "germline", "audit"]
    ended = subprocess.run(words, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert 1 == ended.returncode
    assert ended.stderr.startswith(f"error: {tmp_path}: not in a project of germline")
