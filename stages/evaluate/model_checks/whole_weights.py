"""Refuse a model folder that lacks weights, where transformers would make up random ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError, at


class WholeWeights:
    """Mixed into lm_eval's HFLM, or a class made of it: loads as that does, or refuses."""

    AUTO_MODEL_CLASS: Any  # of HFLM

    def _create_model(self, pretrained: str, **arguments: Any) -> None:
        """Load the model as HFLM does, unless its folder lacks weights or has those of another.

        Raises:
            EvaluationError: the folder lacks weights, or one has another shape than its config.
        """
        auto_class = self.AUTO_MODEL_CLASS
        self.AUTO_MODEL_CLASS = _Whole(auto_class)
        try:
            with at(f"model {Path(pretrained).name}"):
                super()._create_model(pretrained, **arguments)  # type: ignore[misc]  # HFLM's
        finally:
            self.AUTO_MODEL_CLASS = auto_class


class _Whole:
    """A class of transformers' that is asked what it did not find in the files."""

    def __init__(self, auto_class: Any) -> None:
        self._auto_class = auto_class

    def from_pretrained(self, *folders: Any, **arguments: Any) -> Any:
        """Return the model, of which every weight was in the files."""
        asked = {"output_loading_info": True, "ignore_mismatched_sizes": True}
        model, loading = self._auto_class.from_pretrained(*folders, **{**arguments, **asked})
        for name, of_file, of_config in sorted(loading["mismatched_keys"]):
            raise EvaluationError(
                f"tensor {name} has shape {list(of_file)}, by its config.json {list(of_config)}. "
                "The two are of different models: fetch or save the model again."
            )
        missing = sorted(loading["missing_keys"])
        if missing:
            raise EvaluationError(
                f"its weights lack {_first_of(missing)}, for which transformers would make up "
                "random numbers. Fetch or save the model again, with all its weights."
            )
        return model


def _first_of(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"
