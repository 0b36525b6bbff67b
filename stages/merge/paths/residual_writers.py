"""Which tensors of a layer write to the residual stream, told from their names.

``fold_check.py`` tries on a small model whether it is so: a name alone proves nothing.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from stages.merge.architecture.components import component_of

Branch = Literal["attention", "mlp"]
Kind = Literal["projection", "norm"]

# The last projection of a branch; experts hold theirs as one tensor, without a module of its own.
_OUT = re.compile(
    r"^(?:o_proj|out_proj|c_proj|down_proj|dense|dense_4h_to_h|fc2|fc_out|w2|wo|proj_out|out_lin"
    r"|lin2|output_linear|down_proj_bias|linear_out|o_net)$"
)
# A norm after the projection: what it does to the projection's size undoes a gain there.
_ATTENTION_NORMS = (
    *("post_self_attn_layernorm", "attn_post_norm", "post_attn_norm", "post_operator_norm"),
    *("post_norm1",),
)
_MLP_NORMS = (
    *("post_feedforward_layernorm", "post_mlp_layernorm", "post_ffw_norm", "mlp_post_norm"),
    *("post_feedforward_norm", "ffn_post_norm", "post_ffn_norm", "post_norm2"),
)
# Is the attention's last norm where the MLP has a first one of its own (Gemma 2), or where no norm
# comes first (OLMo 2); else the MLP's first, whether it has a last one (A.X K1) or not (Llama).
_EITHER = ("post_attention_layernorm", "post_attention_norm")
_MLP_FIRST = ("pre_feedforward_layernorm", "pre_mlp_layernorm")
_LAYER_FIRST = ("input_layernorm", "attn_norm", "attention_norm")


@dataclass(frozen=True, slots=True)
class Writer:
    """A tensor that carries the gain of its branch: a projection, or the norm after it."""

    branch: Branch
    kind: Kind


def writers_of(names: Collection[str]) -> Mapping[str, Writer]:
    """Return the writers among the tensors of one layer, named as after the layer's number."""
    tops = {name.partition(".")[0] for name in names}
    norms: dict[str, Branch] = dict.fromkeys(_ATTENTION_NORMS, "attention")
    norms |= dict.fromkeys(_MLP_NORMS, "mlp")
    has_none_first = tops.intersection(_MLP_NORMS) and not tops.intersection(_LAYER_FIRST)
    is_attentions = tops.intersection(_MLP_FIRST) or has_none_first
    if is_attentions and not tops.intersection(_ATTENTION_NORMS):
        norms |= dict.fromkeys(_EITHER, "attention")
    is_normed = {branch for top, branch in norms.items() if top in tops}
    writers: dict[str, Writer] = {}
    for name in names:
        top = name.partition(".")[0]
        if top in norms:
            writers[name] = Writer(norms[top], "norm")
        elif _is_projection(name) and _branch_of(name) not in is_normed:
            writers[name] = Writer(_branch_of(name), "projection")
    return writers


def _is_projection(name: str) -> bool:
    parts = name.split(".")
    own = parts if len(parts) == 1 or parts[-1] not in {"weight", "bias"} else parts[:-1]
    return bool(_OUT.match(own[-1]))


def _branch_of(name: str) -> Branch:
    """Return the branch of a projection; a state space or a convolution stands for attention."""
    return "mlp" if component_of(f"0.{name}") == "mlp" else "attention"
