"""A folder that has a child's headers and config, and holes where its weights would be.

What comes after a document can be planned on it before the document is carried out.
"""

import json
import os
from pathlib import Path

from stages.checkpoint import Checkpoint
from stages.headers import SINGLE, lay_out
from stages.merge.plan import Plan


def write_skeleton(plan: Plan, out: Path) -> Checkpoint:
    """Write the skeleton of a plan's child to the new folder ``out``, and open it.

    It takes a few kilobytes on the disk; reading its tensors gives zeros.
    """
    out.mkdir(parents=True)
    path = out / SINGLE
    header, places = lay_out(path, plan.outputs)
    path.write_bytes(header)
    os.truncate(path, max((place.stop for place in places.values()), default=len(header)))
    (out / "config.json").write_text(json.dumps(plan.config), encoding="utf-8")
    return Checkpoint(out)
