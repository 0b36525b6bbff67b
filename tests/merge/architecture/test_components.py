"""What comes before the layers, by the names of real models."""

import pytest

from stages.merge.architecture.components import is_early

EARLY = (
    "model.embed_tokens.weight",
    "transformer.wte.weight",
    "model.decoder.embed_tokens.weight",
    "model.decoder.embed_positions.weight",
    "model.decoder.project_in.weight",
    "transformer.w.weight",
    "model.per_layer_model_projection.weight",
    "model.per_layer_projection_norm.weight",
    "model.input_hidden_states_scale",
    "roberta.embeddings.LayerNorm.weight",
    "shared.weight",
)
LATE = (
    "lm_head.weight",
    "embed_out.weight",
    "lm_head.decoder.weight",
    "cls.predictions.decoder.weight",
    "model.decoder.final_layer_norm.weight",
    "model.decoder.project_out.weight",
    "model.embedding_norm.weight",
    "model.norm.weight",
)


@pytest.mark.parametrize("name", EARLY)
def test_embeddings_come_before_the_layers(name: str) -> None:
    """Embeddings and what leads from them to the layers are early, OPT's in its decoder too."""
    assert is_early(name)


@pytest.mark.parametrize("name", LATE)
def test_heads_come_after_the_layers(name: str) -> None:
    """Final norms and heads are not, whether the head is called decoder or not."""
    assert not is_early(name)
