"""Whether the disks have room for all models, asked before the first weight is fetched."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import constants

from stages.download.build import ModelJob
from stages.download.sources.model_places import Located
from stages.errors import at
from stages.files import check_room, is_same_disk


def check_rooms(jobs: Sequence[ModelJob], out: Path) -> None:
    """Check that there is room for what is fetched, and for what is put below ``out``.

    Raises:
        CheckpointError: there is not.
    """
    cache = Path(constants.HF_HUB_CACHE).expanduser()
    needs: Counter[Path] = Counter()
    for job in jobs:
        for located in (job.model, job.adapter):
            if located is not None and located.repository is not None:
                needs[cache] += located.repository.missing_bytes(located.names)
        if job.model is not None:
            needs[out] += _written_bytes(job, job.model, out, cache)
    with at("download"):
        check_room(needs)


def _written_bytes(job: ModelJob, model: Located, out: Path, cache: Path) -> int:
    """Return how many bytes a model takes below ``out``: what is linked there takes none."""
    weights = model.weights.names if model.weights else ()
    is_made = job.adapter is not None or (model.weights is not None and model.weights.is_pickled)
    is_linked = model.repository is not None and not is_made and is_same_disk(cache, out)
    return model.num_bytes(model.light if is_linked else (*model.light, *weights))
