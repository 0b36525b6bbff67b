"""The arguments that lm-eval's model class takes, checked and filled in from params.yaml."""

from collections.abc import Mapping
from typing import Any

from stages.errors import EvaluationError, Faults
from stages.hashing import nearest

# HFLM's arguments that make sense for a resident model whose weights are replaced in place.
MODEL_ARGS = (
    "add_bos_token",
    "attn_implementation",
    "chat_template_args",
    "dtype",
    "enable_thinking",
    "logits_cache",
    "max_length",
    "mixed_precision_dtype",
    "prefix_token_id",
    "softmax_dtype",
    "think_end_token",
    "trust_remote_code",
    "truncation",
    "use_fast_tokenizer",
)
_SET_ELSEWHERE = {
    "batch_size": "evaluate.batch_size",
    "device": "evaluate.device",
    "pretrained": "download.base",
    "tokenizer": "merge.tokenizer",
}
# Names for the length of a text; where several are given, lm-eval takes the first.
_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_DTYPES = ("auto", "bfloat16", "float16", "float32")


def model_args(given: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Return HFLM's arguments; dtype is float32 on a CPU and the checkpoint's own elsewhere.

    Raises:
        EvaluationError: an argument is unknown, is set by another key, or has a value that is not
            legal.
    """
    for name in given:
        if name in _SET_ELSEWHERE:
            raise EvaluationError(
                f"evaluate.model_args: {name} is not set here. Set {_SET_ELSEWHERE[name]}."
            )
        if name not in MODEL_ARGS:
            raise EvaluationError(
                f"evaluate.model_args: unknown argument {name!r}. Legal: {', '.join(MODEL_ARGS)}."
                f"{nearest(name, list(MODEL_ARGS))}"
            )
    arguments = {"dtype": "float32" if device.startswith("cpu") else "auto", **given}
    faults = Faults()
    with faults.at("evaluate.model_args"):
        for name, value in arguments.items():
            legal = None if value is None and name != "dtype" else _legal(name, value)
            if legal:
                faults.add(f"{name} is {value!r}. {legal}")
        if arguments.get("enable_thinking") and arguments.get("think_end_token") is None:
            faults.add(
                "enable_thinking is true, and think_end_token is not given. Give the token that "
                "ends a model's thoughts, such as </think>."
            )
    faults.raise_as(EvaluationError)
    return arguments


def _legal(name: str, value: Any) -> str | None:
    """Return what to give for the argument ``name``, where ``value`` is not legal."""
    is_text = isinstance(value, str) and bool(value)
    kinds = {
        "attn_implementation": (is_text, "a text such as sdpa or eager"),
        "chat_template_args": (isinstance(value, Mapping), "a mapping of names to values"),
        "dtype": (value in _DTYPES, ", ".join(_DTYPES)),
        "max_length": (is_count(value), "a whole number of tokens from 1"),
        "mixed_precision_dtype": (value in _DTYPES[1:], ", ".join(_DTYPES[1:])),
        "prefix_token_id": (_is_id(value), "the number of a token, from 0"),
        "softmax_dtype": (value in _DTYPES[1:], ", ".join(_DTYPES[1:])),
        "think_end_token": (is_text or _is_id(value), "a token as a text, or its number"),
    }
    is_legal, legal = kinds.get(name, (isinstance(value, bool), "true or false"))
    return None if is_legal else f"Legal: {legal}."


def _is_id(value: Any) -> bool:
    return value is not False and (value == 0 or is_count(value))


def laid_over(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return generation arguments with ``given`` over ``own``; a length has one of four names."""
    kept = {k: v for k, v in own.items() if k not in _LENGTHS or not given.keys() & set(_LENGTHS)}
    return {**kept, **given}


def check_generation(kwargs: Mapping[str, Any]) -> None:
    """Check arguments that lm-eval refuses only when it generates, or ignores.

    Raises:
        EvaluationError: a length is not a whole number or is given twice, a stop string is not
            text, do_sample is not true or false, or there is no temperature to sample with.
    """
    lengths = {name: kwargs[name] for name in _LENGTHS if kwargs.get(name) is not None}
    if len(lengths) > 1:
        raise EvaluationError(
            f"{' and '.join(lengths)} all say how long a text may be, and the first "
            f"would win. Give {next(iter(lengths))} alone."
        )
    for name, length in lengths.items():
        if not is_count(length):
            raise EvaluationError(f"{name} is {length!r}. Give a whole number of tokens from 1.")
    until = kwargs.get("until", [])
    if not isinstance(until, str | list) or not all(isinstance(stop, str) for stop in until):
        raise EvaluationError(f"until is {until!r}. Give a text, or a list of texts, [] for none.")
    samples = kwargs.get("do_sample")
    if not isinstance(samples, bool | None):
        raise EvaluationError(f"do_sample is {samples!r}. Give true or false.")
    if samples and not kwargs.get("temperature"):
        raise EvaluationError(
            f"do_sample is true, temperature is {kwargs.get('temperature')!r}. Sampling "
            "needs a temperature above 0; greedy decoding needs do_sample: false."
        )


def is_count(value: Any) -> bool:
    """Return whether ``value`` is a whole number from 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
