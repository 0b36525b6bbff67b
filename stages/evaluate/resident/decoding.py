"""Settings of generation, from the model and the task, and which prompts may share a batch.

A text is the one that lm-eval's HFLM generates for its prompt alone: it calls ``generate`` with
the task's arguments, and the model's generation_config.json sets the rest. Several prompts share
a batch only where that changes no text.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, GenerationMixin
from transformers.generation import GenerationMode

from stages.errors import EvaluationError, words_of
from stages.evaluate.resident.generation import RowByRow
from stages.evaluate.resident.tree_attention import are_close

_FILE = "generation_config.json"
_BY_ROW = (GenerationMode.GREEDY_SEARCH, GenerationMode.SAMPLE)
# Settings with the same effect on a prompt with and without padding before it. With any other,
# only prompts of one length share a batch, which needs no padding.
_BLIND = frozenset(
    """
    _from_model_config bad_words_ids begin_suppress_tokens bos_token_id cache_implementation
    compile_config disable_compile do_sample early_stopping eos_token_id epsilon_cutoff eta_cutoff
    length_penalty max_length max_new_tokens min_new_tokens min_p num_beams output_attentions
    output_hidden_states output_logits output_scores pad_token_id remove_invalid_values
    renormalize_logits repetition_penalty return_dict_in_generate sequence_bias suppress_tokens
    temperature top_h top_k top_p transformers_version typical_p use_cache
    """.split()  # noqa: SIM905  a list of so many lines reads worse
)


class Together(IntEnum):
    """Rules for which prompts may share a batch; the higher of two rules holds."""

    ALL = 0
    OF_ONE_LENGTH = 1
    NONE = 2


def settings_of(model: Any, kwargs: Mapping[str, Any]) -> GenerationConfig:
    """Return the settings for ``generate``: the model's, overridden by the task's."""
    settings = copy.deepcopy(model.generation_config)
    settings.update(**kwargs)
    return settings


def is_by_row(model: Any, settings: GenerationConfig) -> bool:
    """Return whether ``RowByRow`` decodes as ``generate`` does; the model must read trees."""
    return (
        settings.get_generation_mode() in _BY_ROW
        and not settings.cache_implementation
        and type(model).prepare_inputs_for_generation
        is GenerationMixin.prepare_inputs_for_generation
    )


def loop_of(
    model: Any,
    settings: GenerationConfig,
    seeds: tuple[int, ...],
    first_pass: Callable[[Any], AbstractContextManager[None]],
) -> RowByRow | None:
    """Return a loop that rows leave when they end; None where only ``generate``'s own works.

    The prompts are read in the context that ``first_pass`` gives for the cache.
    """
    return RowByRow(seeds, first_pass) if is_by_row(model, settings) else None


def together(model: Any, settings: GenerationConfig, *, may_leave: bool) -> Together:
    """Return which prompts may share a batch; ``may_leave`` where rows may leave one.

    Beams are ended by lm-eval's rule for a batch, and ``generate`` samples from one generator.
    """
    mode = settings.get_generation_mode()
    is_sampled = settings.do_sample and not (may_leave and is_by_row(model, settings))
    if mode not in _BY_ROW or is_sampled:
        return Together.NONE
    if set(settings.to_diff_dict()) <= _BLIND:
        return Together.ALL
    return Together.OF_ONE_LENGTH


def shareable(model: Any, pad: int) -> Together:
    """Find by a small probe which prompts this model continues in a batch as it does alone.

    Some models let padding into their state, and some states do not stay with their row.
    """
    size = model.get_input_embeddings().num_embeddings
    device = next(model.parameters()).device
    long, short = (torch.tensor([[i * step % size for i in range(1, 22)]]) for step in (5, 7))
    short, padding = short[:, :9], torch.full((1, 12), pad)
    mask = torch.ones(2, 21, dtype=torch.long)
    mask[0, :12] = 0
    batches = {
        Together.ALL: (torch.cat([torch.cat([padding, short], dim=1), long]), mask),
        Together.OF_ONE_LENGTH: (torch.cat([short, long[:, :9]]), mask[:, 12:]),
    }
    try:
        with _plain(model):
            alone = _next_logits(model, short.to(device), mask[:1, 12:].to(device), pad)
            for answer, (prompts, visible) in batches.items():
                batched = _next_logits(model, prompts.to(device), visible.to(device), pad)[:, :1]
                if are_close(model, alone, batched):
                    return answer
    except Exception:  # noqa: BLE001  a model that cannot: each prompt alone is always right
        return Together.NONE
    return Together.NONE


def _next_logits(model: Any, prompts: Tensor, mask: Tensor, pad: int) -> Tensor:
    said = model.generate(
        input_ids=prompts,
        attention_mask=mask,
        max_new_tokens=4,
        min_new_tokens=4,
        do_sample=False,
        pad_token_id=pad,
        use_cache=True,
        return_dict_in_generate=True,
        output_logits=True,
    )
    return torch.stack(said.logits)


def blame(
    model: Any, item: str, error: Exception, run: Callable[[Mapping[str, Any] | None], object]
) -> EvaluationError:
    """Return the error for unusable generation settings, by who set them: task or model.

    ``run`` generates, with other arguments than the task's if it is given some.
    """
    names = ", ".join(sorted(_own(model.generation_config)))
    fault = words_of(error)
    with _plain(model):
        if _succeeds(lambda: run(None)):
            return EvaluationError(
                f"{_FILE} of the model: nothing can be generated with its settings ({names}): "
                f"{fault}. lm-eval fails on them, too. Remove what does not fit from {_FILE} in "
                "the model's folder (download.base, or merge.tokenizer if that names a model)."
            )
        if _succeeds(lambda: run({"do_sample": False})):
            return EvaluationError(
                f"{item}: cannot be generated: {fault}. Fix generation_kwargs in the task's "
                "file, or evaluate.gen_kwargs."
            )
    return EvaluationError(
        f"{item}: transformers cannot generate texts with a {type(model).__name__}: {fault}. "
        "Evaluate it on tasks of log-likelihoods, or set evaluate.backend."
    )


def _succeeds(run: Callable[[], object]) -> bool:
    try:
        run()
    except Exception:  # noqa: BLE001  whatever it is, it is not what was left out
        return False
    return True


def refuse_clock(model: Any, item: str, kwargs: Mapping[str, Any]) -> None:
    """Refuse settings with which a text would depend on the machine's speed.

    Raises:
        EvaluationError: ``max_time`` is set, by the task or by the model.
    """
    if settings_of(model, kwargs).max_time is not None:
        by = f"{item}: generation_kwargs" if kwargs.get("max_time") else f"{_FILE} of the model"
        raise EvaluationError(
            f"{by}: max_time is set, and a text would depend on the machine's speed. Remove it; "
            "max_gen_toks bounds the length of a text."
        )


def _own(config: GenerationConfig) -> dict[str, Any]:
    return {
        name: value
        for name, value in config.to_diff_dict().items()
        if not name.startswith("_") and not name.endswith(("_token_id", "_version"))
    }


@contextmanager
def _plain(model: Any) -> Iterator[None]:
    """Let the model generate with no settings of its file but its special tokens."""
    settings = model.generation_config
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    model.generation_config = GenerationConfig(**{name: getattr(settings, name) for name in names})
    try:
        yield
    finally:
        model.generation_config = settings
