"""A folder that has a child's headers, config and tokenizer, and holes in place of its weights.

What comes after a document can be planned on it before the document is carried out.
"""

import os
from pathlib import Path

from stages.checkpoint import Checkpoint
from stages.headers import SINGLE, lay_out
from stages.merge.companions import write_companions
from stages.merge.plan import Plan


def write_skeleton(plan: Plan, out: Path) -> Checkpoint:
    """Write the skeleton of a plan's child to the new folder ``out``, and open it.

    It takes little room on the disk; reading its tensors gives zeros.
    """
    out.mkdir(parents=True)
    path = out / SINGLE
    header, places = lay_out(path, plan.outputs)
    path.write_bytes(header)
    os.truncate(path, max((place.stop for place in places.values()), default=len(header)))
    write_companions(plan, out, weights_hash="")
    return Checkpoint(out)
