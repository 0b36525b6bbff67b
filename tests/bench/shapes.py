"""Models of real shapes with random weights: a base and three fine-tunes, in bfloat16."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

NAMES = ("base", "one", "two", "three")


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a Llama, under the names of its config; the embedding is tied to the head."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    intermediate_size: int
    vocab_size: int

    @property
    def num_bytes(self) -> int:
        """The size of a model of this shape, in bfloat16."""
        return 2 * sum(math.prod(size) for _, size in self.tensors())

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the name and shape of each tensor."""
        wide, inner = self.hidden_size, self.intermediate_size
        narrow = wide // self.num_attention_heads * self.num_key_value_heads
        yield "model.embed_tokens.weight", (self.vocab_size, wide)
        yield "model.norm.weight", (wide,)
        for layer in range(self.num_hidden_layers):
            at = f"model.layers.{layer}."
            yield at + "self_attn.q_proj.weight", (wide, wide)
            yield at + "self_attn.k_proj.weight", (narrow, wide)
            yield at + "self_attn.v_proj.weight", (narrow, wide)
            yield at + "self_attn.o_proj.weight", (wide, wide)
            yield at + "mlp.gate_proj.weight", (inner, wide)
            yield at + "mlp.up_proj.weight", (inner, wide)
            yield at + "mlp.down_proj.weight", (wide, inner)
            yield at + "input_layernorm.weight", (wide,)
            yield at + "post_attention_layernorm.weight", (wide,)


SHAPES = {
    "135M": Shape(576, 30, 9, 3, 1536, 49152),  # SmolLM2-135M
    "1B": Shape(2048, 16, 32, 8, 8192, 128256),  # Llama-3.2-1B
}


def write_models(root: Path, shape: Shape) -> dict[str, Path]:
    """Write a base and three fine-tunes of it, unless they are there; return their folders.

    A fine-tune differs from the base in every weight, by a tenth of the weights' size.
    """
    folders = {name: root / name for name in NAMES}
    for seed, (name, folder) in enumerate(folders.items()):
        if (folder / "config.json").is_file():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        common = torch.Generator().manual_seed(len(NAMES))
        own = torch.Generator().manual_seed(seed)
        weights = {}
        for tensor, size in shape.tensors():
            values = torch.randn(size, generator=common) * 0.02
            if name != "base":
                values += torch.randn(size, generator=own) * 0.002
            weights[tensor] = values.to(torch.bfloat16)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        config = {
            **asdict(shape),
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "tie_word_embeddings": True,
            "dtype": "bfloat16",
        }
        text = json.dumps(config, indent=2, sort_keys=True) + "\n"
        (folder / "config.json").write_text(text, encoding="utf-8")
    return folders


def warm(folders: dict[str, Path]) -> None:
    """Read every file once, so that all of them are in the page cache."""
    for folder in folders.values():
        for path in sorted(folder.iterdir()):
            with path.open("rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass
