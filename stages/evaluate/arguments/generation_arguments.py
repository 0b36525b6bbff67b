"""Generation arguments of the resident model, tried before any model is there.

transformers refuses an unknown name or an impossible value when it generates, which is after the
download and once for every candidate.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from stages.errors import EvaluationError
from stages.evaluate.arguments.lm_eval_arguments import is_count
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

# Names that transformers knows, and why no task may set them.
_REFUSED = {
    "max_time": "a text would depend on the machine's speed. Remove it; max_gen_toks bounds the "
    "length of a text",
    "num_return_sequences": "lm-eval takes one text for a prompt. Remove it; repeats in the "
    "task's file asks for several",
    "penalty_alpha": "lm-eval cannot generate with it. Remove it",
    "return_dict_in_generate": "lm-eval cannot generate with it. Remove it",
    "stop_strings": "lm-eval cannot generate with it. Give the strings as until",
    "use_cache": "lm-eval sets it itself. Remove it",
    "pad_token_id": "lm-eval sets it itself. Remove it",
}

_HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "num_return_sequences": (None, 1),
    "penalty_alpha": (None, 0),
    "return_dict_in_generate": (None, False),
}


def check_generation_arguments(kwargs: Mapping[str, Any]) -> None:
    """Check names and values as transformers will; values of sampling only where it samples.

    Raises:
        EvaluationError: transformers knows no such argument or would refuse its value, or lm-eval
            cannot generate with it.
    """
    import transformers

    _check_names(kwargs, [*_LM_EVAL, *transformers.GenerationConfig().to_dict()])
    num_beams = kwargs.get("num_beams")
    if num_beams is not None and not is_count(num_beams):
        raise EvaluationError(f"num_beams is {num_beams!r}. Give a whole number from 1.")
    samples = kwargs.get("do_sample")
    for name, kind in (_ALWAYS | _SAMPLING if samples else _ALWAYS).items():
        value = kwargs.get(name)
        if value is None or (value == 0 and name != "temperature"):
            continue  # 0 switches it off
        with _refused_by_transformers(f"{name} is {value!r}"):
            getattr(transformers, kind)(value)
    with _refused_by_transformers("transformers refuses them"):
        transformers.GenerationConfig(**{k: v for k, v in kwargs.items() if k not in _LM_EVAL})


def _check_names(kwargs: Mapping[str, Any], known: Sequence[str]) -> None:
    legal = sorted({*known} - {"_from_model_config", *_REFUSED})
    for name, value in kwargs.items():
        if name in _REFUSED:
            if value not in _HARMLESS.get(name, (None,)):
                raise EvaluationError(f"{name} is {value!r}: {_REFUSED[name]}.")
        elif name not in legal:
            raise EvaluationError(
                f"unknown argument {name!r} of generation.{nearest(name, legal)} Legal "
                "are until, max_gen_toks and the keys of transformers' GenerationConfig; fix the "
                "task's file or evaluate.gen_kwargs."
            )


@contextmanager
def _refused_by_transformers(what: str) -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise EvaluationError(f"{what}: {reason}. Give another value.") from error
