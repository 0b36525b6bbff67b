"""A model without its weights: finds what it cannot be asked, before it is loaded or merged."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from lm_eval.models.utils_hf import get_dtype
from transformers import GenerationConfig

from stages.errors import EvaluationError
from stages.evaluate.resident.decoding import refuse_clock
from stages.evaluate.resident.language_model import ResidentLM
from stages.evaluate.resident.requests import Prepared, Request
from stages.params.evaluate_params import EvaluateParams

_GENERATION = "generation_config.json"


class WeightlessLM(ResidentLM):
    """The resident model's config, tokenizer and arguments; it answers nothing."""

    @classmethod
    def open(cls, folder: Path, params: EvaluateParams) -> Self:
        """Open the model of ``folder`` with the arguments that ``ResidentLM`` takes.

        Raises:
            EvaluationError: the config, the tokenizer or an argument of the model cannot be used.
        """
        return cls.loaded(folder, params)

    def _create_model(self, pretrained: str, **arguments: Any) -> None:
        """Make the model that HFLM would load, its tensors without content."""
        dtype = get_dtype(arguments["dtype"])
        attention = {k: v for k, v in arguments.items() if k == "attn_implementation"}
        with torch.device("meta"):
            self._model = self.AUTO_MODEL_CLASS.from_config(
                self.config,
                dtype=None if dtype == "auto" else dtype,
                trust_remote_code=arguments["trust_remote_code"],
                **attention,
            )
        if (Path(pretrained) / _GENERATION).is_file():
            self._model.generation_config = GenerationConfig.from_pretrained(pretrained)

    def check_prefix(self) -> None:
        """Check that the token in front of empty contexts is one of the model's.

        Raises:
            EvaluationError: it is not.
        """
        size = self.model.get_input_embeddings().num_embeddings
        prefix = self.custom_prefix_token_id
        if prefix is not None and prefix >= size:
            raise EvaluationError(
                f"evaluate.model_args: prefix_token_id is {prefix}, the model has {size} "
                f"embeddings. Give a number from 0 to {size - 1}."
            )

    def prepare(self, requests: Sequence[Request]) -> Prepared:
        """Check that the requests of one task and one kind can be asked; prepare nothing.

        Raises:
            EvaluationError: a request is empty or too long, or its texts would depend on a clock.
        """
        for number, request in enumerate(requests):
            if request.kind == "generate_until":
                refuse_clock(self.model, request.item, request.arguments[1])
                self._text_batch([number], [request], [0])
            elif request.kind == "loglikelihood":
                self._encode(number, request)
        return Prepared(requests[0].kind, len(requests))
