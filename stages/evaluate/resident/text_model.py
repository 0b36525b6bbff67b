"""The part of the resident model that generates texts: prompts batched once, run many times."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import (
    handle_stop_sequences,
    has_bos_prefix,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from torch import Tensor
from transformers import LogitsProcessorList, StoppingCriteriaList

from stages.errors import EvaluationError, words_of
from stages.evaluate.resident.decoding import (
    Together,
    blame,
    loop_of,
    refuse_clock,
    settings_of,
    shareable,
    together,
)
from stages.evaluate.resident.generation import RefuseNaN, StopWatch, stops_at
from stages.evaluate.resident.kept_states import KeptStates
from stages.evaluate.resident.out_of_memory import is_out_of_memory
from stages.evaluate.resident.requests import Request, TextBatch, prompt_batches, seeds_of
from stages.evaluate.resident.tree_attention import Sharing


class TextLM(HFLM):  # type: ignore[misc]  # lm_eval has no types
    """HFLM whose texts are those of each prompt alone, whatever the batch."""

    states: KeptStates
    _batch_tokens: int
    _sharing: Sharing

    def texts(self, requests: Sequence[Request]) -> tuple[TextBatch, ...]:
        """Return the prompts of one task in batches.

        Raises:
            EvaluationError: a prompt is too long, or the settings of the model or of the task
                cannot generate texts.
        """
        lengths = [len(self.tok_encode(request.arguments[0])) for request in requests]
        seeds = seeds_of(requests)
        groups = [self._text_group(i, request, lengths[i]) for i, request in enumerate(requests)]
        places = prompt_batches(requests, lengths, groups, self.batch_size, self._batch_tokens)
        batches = tuple(
            self._text_batch(batch, [requests[p] for p in batch], [seeds[p] for p in batch])
            for batch in places
        )
        tried: set[str] = set()
        for batch in batches:
            asked = json.dumps(batch.kwargs, sort_keys=True, default=str)
            if asked not in tried:
                tried.add(asked)
                self._try(batch)
        return batches

    def _text_group(self, number: int, request: Request, length: int) -> tuple[Any, ...]:
        """Return a key that is equal only for prompts that may share a batch."""
        prompt, asked = request.arguments
        kwargs, _, room = self._arguments(asked)
        try:
            refuse_clock(self.model, request.item, asked)
            settings = settings_of(self.model, kwargs)
        except ValueError as error:
            raise EvaluationError(
                f"{request.item}: transformers refuses its generation arguments: "
                f"{words_of(error)}. Fix generation_kwargs in the task's file, or "
                "evaluate.gen_kwargs."
            ) from error
        rules = [
            self._shareable,
            together(self.model, settings, may_leave=bool(self._sharing.reach)),
            Together.OF_ONE_LENGTH if "max_length" in kwargs else Together.ALL,
        ]
        if any(length + room > border for border in self._sharing.rotations):
            rules.append(Together.NONE)
        rule = max(rules)
        alike = {Together.ALL: 0, Together.OF_ONE_LENGTH: length, Together.NONE: number}[rule]
        has_start = has_bos_prefix(prompt, self.tokenizer.bos_token)  # then none is added
        return json.dumps(asked, sort_keys=True, default=str), has_start, rule, alike

    @cached_property
    def _shareable(self) -> Together:
        return shareable(self.model, self.tokenizer.pad_token_id)

    def _arguments(self, asked: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...], int]:
        """Return the arguments of ``generate``, the stop strings, and a text's largest length."""
        kwargs = dict(normalize_gen_kwargs(asked, self.max_gen_toks))
        if not kwargs["do_sample"]:
            kwargs.pop("temperature", None)
        eos = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        stops = handle_stop_sequences(kwargs.pop("until", None), eos=eos)
        return kwargs, tuple(stops), kwargs.pop("max_gen_toks")

    def _text_batch(
        self, places: Sequence[int], requests: Sequence[Request], seeds: Sequence[int]
    ) -> TextBatch:
        kwargs, stops, room = self._arguments(requests[0].arguments[1])
        prompts, mask = self.tok_batch_encode(
            [request.arguments[0] for request in requests], truncation=self.truncation
        )
        limit = self.max_length - room
        if prompts.shape[1] > limit:
            longest = int(mask.sum(dim=1).argmax())
            self._refuse_long(requests[longest].item, prompts.shape[1] + room, limit > 0)
            prompts, mask = prompts[:, -limit:], mask[:, -limit:]
        return TextBatch(
            requests=tuple(places),
            items=tuple(request.item for request in requests),
            prompts=prompts,
            mask=mask,
            stops=stops,
            max_length=kwargs.pop("max_length", prompts.shape[1] + room),
            kwargs=kwargs,
            seeds=tuple(seeds),
        )

    def _try(self, batch: TextBatch) -> None:
        """Generate a token for one prompt, to find unusable settings before any candidate.

        Raises:
            EvaluationError: that fails; the message says whether model or task set them.
        """
        one = replace(batch.part(slice(1)), stops=("",))  # the empty string ends a text at once
        try:
            self._run(one)
        except EvaluationError:
            return  # these weights give NaN, which each candidate answers for
        except Exception as error:
            if is_out_of_memory(error):
                return

            def run(kwargs: Mapping[str, Any] | None) -> Tensor:
                if kwargs is None:
                    return self._run(one)
                length = one.prompts.shape[1] + 1  # the task's own may be what is wrong
                return self._run(replace(one, kwargs=dict(kwargs), max_length=length))

            raise blame(self.model, one.items[0], error, run) from error

    def generate(self, batch: TextBatch) -> list[str]:
        """Return the text that follows each prompt.

        Raises:
            EvaluationError: the model gives NaN.
        """
        said = self._run(batch, partial(self.states.of, batch))
        return [self._read(tokens, batch.stops) for tokens in said.tolist()]

    def _run(
        self,
        batch: TextBatch,
        first_pass: Callable[[Any], AbstractContextManager[None]] = nullcontext,
    ) -> Tensor:
        """Return the tokens that follow the prompts, which are read in a context."""
        rows, start = batch.prompts.shape
        nan = RefuseNaN(rows)
        settings = settings_of(self.model, batch.kwargs)
        reads = self._sharing.reach
        loop = loop_of(self.model, settings, batch.seeds, first_pass) if reads else None
        if settings.do_sample and loop is None:
            torch.manual_seed(batch.seeds[0])  # noqa: TID251  generate() knows no other generator
        stopping = StoppingCriteriaList(
            [StopWatch(stops_at(self.tokenizer, batch.stops), start, rows)]
        )
        try:
            with torch.autocast(
                device_type=self.device.type,
                dtype=self.mixed_precision_dtype,
                enabled=self.mixed_precision_dtype is not None,
            ):
                said: Tensor = self.model.generate(
                    input_ids=batch.prompts.to(self.device),
                    attention_mask=batch.mask.to(self.device),
                    max_length=batch.max_length,
                    stopping_criteria=stopping,
                    logits_processor=LogitsProcessorList([nan]),
                    pad_token_id=self.tokenizer.pad_token_id,
                    use_cache=True,
                    custom_generate=loop,
                    **{"return_dict_in_generate": False, **batch.kwargs},
                )
        except RuntimeError:  # sampling fails on NaN before it can be looked for
            nan.check(batch.items)
            raise
        nan.check(batch.items)
        if len(said) != rows:
            raise ValueError(f"num_return_sequences gives {len(said)} texts for {rows} prompts")
        return said[:, start:]

    def _read(self, tokens: list[int], stops: tuple[str, ...]) -> str:
        thoughts_end = self.think_end_token
        if isinstance(thoughts_end, int) and thoughts_end in tokens:
            last = len(tokens) - 1 - tokens[::-1].index(thoughts_end)
            tokens = tokens[last + 1 :]
        text = self.tok_decode(tokens)
        if isinstance(thoughts_end, int):
            text = text.lstrip()
        token = thoughts_end if isinstance(thoughts_end, str) else None
        return str(postprocess_generated_text(text, list(stops), token))

    def _refuse_long(self, item: str, length: int, may_cut: bool) -> None:
        if not (self.truncation and may_cut):
            limit = "evaluate.model_args.max_length is"
            if not self._max_length:
                limit = "the model's context holds"
            raise EvaluationError(
                f"{item}: needs {length} tokens, {limit} {self.max_length}. "
                "Take shorter items, fewer few-shot examples, or shorter texts: `gen_kwargs: "
                "{max_gen_toks: 16}` on the task in params.yaml; or set truncation: true under "
                "evaluate.model_args to cut prompts from the left. For germline evaluate: --set "
                "gen_kwargs.max_gen_toks=16, --set model_args.truncation=true."
            )
