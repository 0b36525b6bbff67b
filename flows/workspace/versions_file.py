"""The versions that results rest on, in a small file that DVC watches.

In a project of one's own germline's code is not among the deps: this file stands for it. The first
stage writes it in each `dvc repro`; the others run again when its content differs.
"""

import json
from importlib.metadata import version
from pathlib import Path

from stages.evaluate.score_environment import packages
from stages.files import write_whole

VERSIONS = Path("versions.json")


def write_versions(path: Path = VERSIONS) -> None:
    """Write the versions of germline and of the libraries that compute scores."""
    installed = {"germline": version("germline"), **packages()}
    write_whole(path, json.dumps(installed, indent=2) + "\n")
