"""Task arithmetic: the base plus task vectors (Ilharco et al. 2023, arXiv:2212.04089)."""

from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import SCALE, WEIGHT, normalize
from stages.merge.arithmetic.reference_steps import normalized
from stages.merge.arithmetic.task_vector_sums import summed
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="task_arithmetic",
    parameters=(WEIGHT, SCALE, normalize(0.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Ilharco et al. 2023, arXiv:2212.04089",
    summary="The base plus the weighted sum of the task vectors.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x sum of weight x task vector.

    A parent of weight 0 is not read; where all are 0, the child is the base bit for bit.
    """
    return summed(sources, settings, sources.task_vector)


METHOD = Method(SPEC, prepare, is_entrywise=True)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    *,
    weight: Float[Tensor, " k *#shape"],
    scale: float,
    normalize: float,
) -> Float[Tensor, "*shape"]:
    """Return the base plus the weighted sum of the task vectors."""
    return base + scale * (normalized(weight, normalize) * task_vectors).sum(0)
