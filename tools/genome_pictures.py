"""Write the pictures of a genome of each encoding into docs/search.md, as the encodings decode it.

``make docs`` runs it after a change of an encoding; a test compares the page with its output.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.params.space.space_params import SpaceParams
from stages.select.space.layers.encoding import Encoding, Values
from stages.select.space.layers.hops import Hop
from stages.select.space.space import Space

DOCS = Path("docs/search.md")
BEGIN, END = "<!-- from the encodings, by `make docs` -->", "<!-- end -->"
_BLOCK = re.compile(rf"(?s){re.escape(BEGIN)}\n.*?{re.escape(END)}")
_SLOT = re.compile(r"pass\d+\.(\w+)\.layer0*(\d+)")
MODELS, NUM_LAYERS = ("a", "b"), 6
_CELL, _LABEL, _WIDTH = 6, 11, 96  # characters


@dataclass(frozen=True, slots=True)
class PicturedGenome:
    """The keys of ``select.space.layers`` besides ``encoding``, and the values of its genes."""

    values: Values
    keys: Mapping[str, Any] = field(default_factory=dict)


def _slots(on: str, passes: int = 1) -> dict[str, float | str]:
    """Return genes of slots: 2 for those that ``on`` lists, as ``a0 b4``; -1 for all others."""
    listed = on.split()
    return {
        f"pass{number}.{model}.layer{layer:02d}": 2.0 if f"{model}{layer}" in listed else -1.0
        for number in range(1, passes + 1)
        for model in MODELS
        for layer in range(NUM_LAYERS)
    }


GENOMES: dict[str, PicturedGenome] = {
    "splice": PicturedGenome(
        {
            "cut1": 4.0,
            "cut1.overlap": 2.0,
            "segment1.model": "a",
            "segment2.model": "b",
            "segment1.log_mlp_gain": 0.0,
            "segment2.log_mlp_gain": -0.2231,
        },
        {"overlap": 2, "mlp_gain": [0.5, 2.0]},
    ),
    "pick": PicturedGenome(
        {"layers00-01.model": "a", "layers02-03.model": "b", "layers04-05.model": "a"},
        {"group": 2},
    ),
    "blocks": PicturedGenome(
        {"model": "a", "block1.start": 2.0, "block1.length": 2.0, "block1.times": 2.0}
    ),
    "indicator": PicturedGenome(_slots("a0 a1 a2 a3 b3 b4 b5")),
    "interleaved": PicturedGenome(_slots("a0 a1 b1 a2 b2 b3 b4 b5")),
}


def updated(text: str) -> str:
    """Return the page with its pictures as the encodings give them.

    Raises:
        ValueError: the page has not one block for them.
    """
    if len(_BLOCK.findall(text)) != 1:
        raise ValueError(f"{DOCS}: needs one block '{BEGIN}' to '{END}'. Restore it.")
    pictures = "\n".join(
        f"**{name}**\n\n```text\n{picture(name, genome)}\n```\n"
        for name, genome in GENOMES.items()
    )
    return _BLOCK.sub(lambda _: f"{BEGIN}\n{pictures}{END}", text)


def encoding_named(name: str, genome: PicturedGenome) -> Encoding:
    """Return the encoding over the models of the pictures."""
    layers = {"encoding": name, **genome.keys}
    params = SpaceParams.model_validate({"methods": [], "layers": layers})
    space = Space(params, specs={}, num_parents=2, num_layers=NUM_LAYERS, parent_names=MODELS)
    assert space.layers is not None  # noqa: S101  what the params say
    return space.layers


def picture(name: str, genome: PicturedGenome) -> str:
    """Return the genes with their values, and the path that they stand for, layer by layer."""
    encoding = encoding_named(name, genome)
    path = encoding.decode(genome.values)
    genes = [(gene.name, genome.values[gene.name]) for gene in encoding.genes()]
    slots = [_SLOT.fullmatch(gene) for gene, _ in genes]
    if all(slots):
        shown = _row("slot", [f"{slot[1]}{slot[2]}" for slot in slots if slot])
        shown += "\n" + _row("gene", [f"{value:+.0f}" for _, value in genes])
    else:
        shown = _wrapped("genes", [f"{gene} {_text(value)}" for gene, value in genes])
    return f"{shown}\n\n{_grid(path)}"


def _grid(path: Sequence[Hop]) -> str:
    """Return a column for each layer of the child, and in it the layer of its model."""
    lines = [_row("child", [str(number) for number in range(len(path))])]
    for model in sorted({hop.model for hop in path}):
        name = MODELS[model]
        lines.append(_row(name, [f"{name}{h.layer}" if h.model == model else "" for h in path]))
    for branch, gains in (
        ("attention", [hop.attention_gain for hop in path]),
        ("MLP", [hop.mlp_gain for hop in path]),
    ):
        if any(gain != 1.0 for gain in gains):
            lines.append(_row(branch, [f"\u00d7{gain:.3g}" for gain in gains]))
    return "\n".join(lines)


def _row(label: str, cells: Sequence[str]) -> str:
    return (f"{label:<{_LABEL}}" + "".join(f"{cell:<{_CELL}}" for cell in cells)).rstrip()


def _wrapped(label: str, words: Sequence[str]) -> str:
    lines = [f"{label:<{_LABEL}}"]
    for word in words:
        if len(lines[-1]) + len(word) > _WIDTH:
            lines.append(" " * _LABEL)
        lines[-1] += f"{word}   "
    return "\n".join(line.rstrip() for line in lines)


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


if __name__ == "__main__":
    DOCS.write_text(updated(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
