"""A folder that has a child's headers, config and tokenizer, and holes in place of its weights.

What comes after a document can be planned on it before the document is carried out.
"""

import hashlib
import os
from pathlib import Path

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.safetensors_header import SINGLE, lay_out
from stages.merge.outputs.model_files import write_companions
from stages.merge.plan.plan import Plan, TensorPlan


def write_skeleton(plan: Plan, out: Path) -> Checkpoint:
    """Write the skeleton of a plan's child to the new folder ``out``, and open it.

    It takes little room on the disk. Outside the layers tensors are equal exactly where the
    child's are made alike, as a tied head is; the rest of each, and those in layers, are zeros.
    """
    out.mkdir(parents=True)
    path = out / SINGLE
    header, places = lay_out(path, plan.outputs)
    path.write_bytes(header)
    os.truncate(path, max((span.stop for span in places.values()), default=len(header)))
    with path.open("r+b") as file:
        for tensor in plan.tensors:
            if not tensor.is_in_layer:
                span = places[tensor.name]
                file.seek(span.start)
                file.write(_mark(tensor)[: span.stop - span.start])
    write_companions(plan, out, weights_hash="")
    return Checkpoint(out)


def _mark(tensor: TensorPlan) -> bytes:
    """Return bytes that differ where two tensors are made of other things, or otherwise."""
    sources = [(source.model, source.name) for source in tensor.sources]
    contents = (tensor.method.spec.name, sources, tensor.has_base, tensor.settings)
    return hashlib.sha256(repr(contents).encode()).digest()
