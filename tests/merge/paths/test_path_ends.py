"""What lies before and behind the layers of a path: whose it is."""

from pathlib import Path

import torch
import transformers as t

from stages.merge.engine.tensor_ranges import merge
from stages.merge.plan.planner import plan
from tests.merge.architecture.families import SMALL
from tests.merge.paths.test_gains import path_recipe, two_models


def test_embeddings_are_of_the_first_hop_and_heads_of_the_last(tmp_path: Path) -> None:
    """OPT calls all of the model a decoder; its embeddings come before the layers all the same."""
    sizes = {**SMALL, "num_hidden_layers": 3}
    del sizes["num_key_value_heads"]
    config = t.OPTConfig(**sizes, ffn_dim=24, word_embed_proj_dim=16)
    models = two_models(config, "OPTForCausalLM", tmp_path)
    child = dict(merge(plan(path_recipe(models, [(0, 0, 1.0, 1.0), (1, 1, 1.0, 1.0)]), models)))
    for name in ("model.decoder.embed_tokens.weight", "model.decoder.embed_positions.weight"):
        assert torch.equal(child[name], models[0].read(name))
    last = "model.decoder.final_layer_norm.weight"
    assert torch.equal(child[last], models[1].read(last))
