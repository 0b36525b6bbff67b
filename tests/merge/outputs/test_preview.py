"""What a dry run says of a plan."""

from pathlib import Path

from stages.merge.outputs.preview import (
    bytes_read,
    bytes_written,
    describe,
    peak_bytes,
    seconds,
)
from tests.merge.mergekit.llamas import lowered

TEXT = "merge_method: %s\nbase_model: $base\nmodels: [{model: $one}, {model: $two}]\n"


def test_sizes_are_those_of_the_headers(root: Path) -> None:
    """Every source is counted each time that it is read, the child in its own dtype."""
    plan = lowered(f"{TEXT % 'ties'}parameters: {{weight: 1}}\ndtype: bfloat16", root).plan
    one_model = sum(info.num_bytes for info in plan.models[0].tensors.values())
    assert 3 * one_model == bytes_read(plan)
    assert one_model == 2 * bytes_written(plan)


def test_time_and_memory_follow_method_and_threads(root: Path) -> None:
    """Ties takes longer than task_arithmetic, and more memory with more threads."""
    ties, plain = (
        lowered(f"{TEXT % method}parameters: {{weight: 1}}", root).plan
        for method in ("ties", "task_arithmetic")
    )
    assert seconds(ties) > seconds(plain) > 0
    assert peak_bytes(ties, 8) > peak_bytes(ties, 1) > peak_bytes(plain, 1)


def test_each_tensor_has_a_line(root: Path) -> None:
    """Its dtype, shape, size, the models it is made of, and its values."""
    text = f"{TEXT % 'dare_ties'}parameters: {{weight: 0.5, density: [0.25, 0.75]}}"
    lines = describe(lowered(text, root).plan, threads=2).splitlines()
    (line,) = [line for line in lines if "layers.3.mlp.up_proj.weight" in line]
    for part in ("F32", "24x16", "1.54 kB", "of 0+1+2", "density=0.75,0.75", "rescale=l1"):
        assert part in line
    assert any("model one: 39 tensors, F32, " in line for line in lines)
    assert "  39 by dare_ties, 0 copied as they are" in lines
