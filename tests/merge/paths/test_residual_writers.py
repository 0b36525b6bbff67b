"""Which tensors of a layer carry its gains, told from the names of its norms and projections."""

import pytest

from stages.merge.paths.residual_writers import writers_of

_PROJECTIONS = ("self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj")
# The norms of a layer, and the tensors that carry the gains of its attention and its MLP.
LAYERS: dict[str, tuple[tuple[str, ...], tuple[str, str]]] = {
    "llama": (
        ("input_layernorm", "post_attention_layernorm"),
        ("self_attn.o_proj", "mlp.down_proj"),
    ),
    "gemma2": (
        (
            *("input_layernorm", "post_attention_layernorm"),
            *("pre_feedforward_layernorm", "post_feedforward_layernorm"),
        ),
        ("post_attention_layernorm", "post_feedforward_layernorm"),
    ),
    "olmo2": (
        ("post_attention_layernorm", "post_feedforward_layernorm"),
        ("post_attention_layernorm", "post_feedforward_layernorm"),
    ),
    "glm4": (
        (
            *("input_layernorm", "post_self_attn_layernorm"),
            *("post_attention_layernorm", "post_mlp_layernorm"),
        ),
        ("post_self_attn_layernorm", "post_mlp_layernorm"),
    ),
    "axk1": (
        ("input_layernorm", "post_attention_layernorm", "post_mlp_layernorm"),
        ("self_attn.o_proj", "post_mlp_layernorm"),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_last_tensor_of_each_branch_carries_its_gain(name: str) -> None:
    """A norm before the MLP and one behind the attention may have one name: the others tell."""
    norms, (attention, mlp) = LAYERS[name]
    writers = writers_of([f"{one}.weight" for one in (*_PROJECTIONS, *norms)])
    assert {writer.branch: tensor for tensor, writer in writers.items()} == {
        "attention": f"{attention}.weight",
        "mlp": f"{mlp}.weight",
    }
