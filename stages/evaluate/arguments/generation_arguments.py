"""Generation arguments of the resident model, tried before any model is there.

transformers refuses an unknown name or an impossible value when it generates, which is after the
download and once for every candidate.
"""

from collections.abc import Mapping
from typing import Any

from stages.errors import EvaluationError
from stages.hashing import nearest

_LM_EVAL = ("max_completion_tokens", "max_gen_toks", "max_tokens", "until")  # the rest are HF's
_SAMPLING = {
    "epsilon_cutoff": "EpsilonLogitsWarper",
    "min_p": "MinPLogitsWarper",
    "temperature": "TemperatureLogitsWarper",
    "top_k": "TopKLogitsWarper",
    "top_p": "TopPLogitsWarper",
    "typical_p": "TypicalLogitsWarper",
}
_ALWAYS = {
    "no_repeat_ngram_size": "NoRepeatNGramLogitsProcessor",
    "repetition_penalty": "RepetitionPenaltyLogitsProcessor",
}


def check_generation_arguments(kwargs: Mapping[str, Any]) -> None:
    """Check names and values as transformers will; values of sampling only where it samples.

    Raises:
        EvaluationError: transformers knows no such argument, or would refuse its value.
    """
    import transformers

    legal = sorted(
        {*_LM_EVAL, *transformers.GenerationConfig().to_dict()} - {"_from_model_config"}
    )
    for name in kwargs:
        if name not in legal:
            raise EvaluationError(
                f"unknown argument {name!r} of generation.{nearest(name, legal)} Legal "
                "are until, max_gen_toks and the keys of transformers' GenerationConfig; fix the "
                "task's file or evaluate.gen_kwargs."
            )
    samples = kwargs.get("do_sample")
    for name, kind in (_ALWAYS | _SAMPLING if samples else _ALWAYS).items():
        value = kwargs.get(name)
        if value in (None, 0) and name != "temperature":
            continue  # 0 switches it off
        try:
            if value is not None:
                getattr(transformers, kind)(value)
        except (TypeError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise EvaluationError(f"{name} is {value!r}: {reason}.") from error
