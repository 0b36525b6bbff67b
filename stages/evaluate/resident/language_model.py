"""lm-eval's HFLM with the work that does not depend on the weights done once.

Requests are tokenised as HFLM does, sorted, batched and padded by ``prepare``; ``answer`` then
runs the model and reads off the answers. A batch holds requests of one task, so that a task's
scores do not depend on the other tasks in the suite.

Differs from HFLM: requests that begin alike share a row where the model can read it (``trees``,
``attention``), a row of a batch stops at its own stop string and leaves (HFLM waits until all
rows hold the same one; the text is cut there in either case), logits are taken only where they
are read, a batch that does not fit the memory is halved, NaN is refused, and a request that is
longer than the context is refused unless ``truncation`` is asked for. Requests with the same
tokens but another border between context and target are each scored at their own border; HFLM
scores the shorter target at the wrong tokens.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import (
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from lm_eval.models.utils_hf import stop_sequences_criteria
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from torch import Tensor
from transformers import LogitsProcessorList, StoppingCriteriaList

from stages.errors import EvaluationError
from stages.evaluate.device import check_device
from stages.evaluate.lm_eval_arguments import model_args
from stages.evaluate.resident.generation import RefuseNaN, StopWatch, loop_of, stops_at
from stages.evaluate.resident.out_of_memory import in_halves
from stages.evaluate.resident.prefix_trees import rows_of
from stages.evaluate.resident.requests import (
    Prepared,
    Request,
    TextBatch,
    prompt_batches,
    sum_windows,
)
from stages.evaluate.resident.token_batches import Encoded, TokenBatch, batches_of
from stages.evaluate.resident.tree_attention import reach_of, read_logits
from stages.params.load import EvaluateParams


class ResidentLM(HFLM):  # type: ignore[misc]  # lm_eval has no types
    """HFLM on a model that stays, its requests prepared once and answered for every candidate."""

    _batch_tokens: int
    _reach: int  # as reach_of says

    @classmethod
    def open(cls, folder: Path, params: EvaluateParams) -> Self:
        """Load the model of ``folder`` as ``lm-eval --model hf`` would.

        Raises:
            EvaluationError: the folder holds no model that transformers can load.
        """
        try:
            model = cls(
                pretrained=str(folder),
                batch_size=params.batch_size,
                device=params.device,
                **model_args(params),
            )
        except Exception as error:
            raise EvaluationError(
                f"model {folder.name}: cannot be loaded: {type(error).__name__}: {error}. "
                "A model folder holds config.json, weights and a tokenizer; see also "
                "evaluate.model_args."
            ) from error
        if str(model.device) != params.device:  # HFLM takes another one in silence
            check_device(params.device)
            raise EvaluationError(f"evaluate.device: lm-eval takes {model.device} for it.")
        model._batch_tokens = params.batch_tokens
        # Autocast runs layers in another dtype than a mask is made for.
        model._reach = 0 if model.mixed_precision_dtype else reach_of(model.model)
        return model

    def prepare(self, requests: Sequence[Request]) -> Prepared:
        """Return the requests of one task and one kind as padded batches.

        Raises:
            EvaluationError: a request is empty, too long, or holds an unknown token.
        """
        kind, num = requests[0].kind, len(requests)
        if kind == "generate_until":
            prepared = Prepared(kind, num, texts=self._texts(requests))
        elif kind == "loglikelihood":
            encoded = [self._encode(place, request) for place, request in enumerate(requests)]
            prepared = Prepared(kind, num, tokens=self._batches(encoded))
        else:
            windows, rolled = self._windows(requests)
            prepared = Prepared(kind, num, tokens=rolled, windows=tuple(windows))
        for token_batch in prepared.tokens:
            self._check_vocabulary(token_batch.inputs)
            self._check_vocabulary(token_batch.targets)
        for text_batch in prepared.texts:
            self._check_vocabulary(text_batch.prompts)
        return prepared

    def answer(self, prepared: Prepared) -> list[Any]:
        """Return the model's answer to each request: (log-likelihood, is greedy), or text.

        Raises:
            EvaluationError: the model gives NaN.
        """
        if prepared.kind == "generate_until":
            texts = [""] * prepared.num_requests
            for whole in prepared.texts:
                for part, said in in_halves(whole, self._generate):
                    for request, text in zip(part.requests, said, strict=True):
                        texts[request] = text
            return texts
        rolling = prepared.kind == "loglikelihood_rolling"
        num = sum(prepared.windows) if rolling else prepared.num_requests
        scored: list[tuple[float, bool]] = [(0.0, False)] * num
        for batch in prepared.tokens:
            for _, results in in_halves(batch, self._score):
                for request, result in results:
                    scored[request] = result
        return sum_windows(prepared.windows, [v for v, _ in scored]) if rolling else scored

    def _score(self, batch: TokenBatch) -> list[tuple[int, tuple[float, bool]]]:
        if self._reach:
            logits = read_logits(self.model, batch, self.device)
        else:
            logits = self._model_call(batch.inputs.to(self.device))[batch.read.to(self.device)]
        return list(batch.score(logits, self.softmax_dtype))

    def use_template(self, choice: bool | str) -> None:
        """Choose the chat template: the only one, or the one named.

        Raises:
            EvaluationError: the tokenizer has none, or none of that name.
        """
        templates = self.tokenizer.chat_template
        if isinstance(choice, str):
            names = sorted(templates) if isinstance(templates, dict) else []
            if choice not in names:
                raise EvaluationError(
                    f"evaluate.apply_chat_template: the tokenizer has no template {choice!r}. "
                    f"Legal: {', '.join([*names, 'true', 'false'])}."
                )
            self.chat_template_args: dict[str, Any]
            self.chat_template_args |= {"chat_template": choice}
        elif choice and not templates:
            raise EvaluationError(
                "evaluate.apply_chat_template: is true, but the tokenizer has no chat template. "
                "Set it to false, or take a base model with a template."
            )

    def _encode(self, place: int, request: Request) -> Encoded:
        context, continuation = request.arguments
        if context == "":
            target = self.tok_encode(continuation, add_special_tokens=False)
            start = [self.prefix_token_id]
            if target and target[0] == self.prefix_token_id:
                start, target = target[:1], target[1:]
        else:
            start, target = self._encode_pair(context, continuation)
        return self._fitted(Encoded(place, start, target, request.item))

    def _fitted(self, encoded: Encoded) -> Encoded:
        """Return the request, cut from the left to the context if truncation is asked for."""
        if not encoded.target or not encoded.context:
            raise EvaluationError(
                f"{encoded.item}: an answer or its context is empty once tokenised. Every choice "
                "and target needs at least one token; mend the task."
            )
        length = len(encoded.context) + len(encoded.target) - 1
        if length > self.max_length:
            self._refuse_long(encoded.item, length, len(encoded.target) <= self.max_length)
        return encoded.cut(self.max_length + 1)

    def _refuse_long(self, item: str, length: int, may_cut: bool) -> None:
        if not (self.truncation and may_cut):
            raise EvaluationError(
                f"{item}: needs {length} tokens, the model's context holds {self.max_length}. "
                "Take shorter items, fewer few-shot examples or a smaller max_gen_toks; or set "
                "truncation: true under evaluate.model_args to cut prompts from the left."
            )

    def _windows(self, requests: Sequence[Request]) -> tuple[list[int], tuple[TokenBatch, ...]]:
        counts: list[int] = []
        pieces: list[Encoded] = []
        for request in requests:
            token_windows = get_rolling_token_windows(
                token_list=self.tok_encode(request.arguments[0]),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            )
            before = len(pieces)
            for context, target in map(make_disjoint_window, token_windows):
                pieces.append(Encoded(len(pieces), context, target, request.item))
            counts.append(len(pieces) - before)
        return counts, self._batches(pieces)

    def _batches(self, encoded: Sequence[Encoded]) -> tuple[TokenBatch, ...]:
        rows = rows_of(encoded, reach=self._reach if self.logits_cache else None)
        return tuple(batches_of(rows, num_rows=self.batch_size, num_tokens=self._batch_tokens))

    def _texts(self, requests: Sequence[Request]) -> tuple[TextBatch, ...]:
        lengths = [len(self.tok_encode(request.arguments[0])) for request in requests]
        batches = prompt_batches(requests, lengths, self.batch_size, self._batch_tokens)
        return tuple(self._text_batch(batch, [requests[p] for p in batch]) for batch in batches)

    def _text_batch(self, places: Sequence[int], requests: Sequence[Request]) -> TextBatch:
        kwargs = dict(normalize_gen_kwargs(requests[0].arguments[1], self.max_gen_toks))
        if not kwargs["do_sample"]:
            kwargs.pop("temperature", None)
        eos = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        stops = handle_stop_sequences(kwargs.pop("until", None), eos=eos)
        room = kwargs.pop("max_gen_toks")
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
            stops=tuple(stops),
            max_length=kwargs.pop("max_length", prompts.shape[1] + room),
            kwargs=kwargs,
        )

    def _generate(self, batch: TextBatch) -> list[str]:
        start = batch.prompts.shape[1]
        nan = RefuseNaN(len(batch.items))
        stopping = self._stopping(batch, start)
        loop = loop_of(self.model, batch.kwargs, stopping, nan) if self._reach else None
        try:
            with torch.autocast(
                device_type=self.device.type,
                dtype=self.mixed_precision_dtype,
                enabled=self.mixed_precision_dtype is not None,
            ):
                said = self.model.generate(
                    input_ids=batch.prompts.to(self.device),
                    attention_mask=batch.mask.to(self.device),
                    max_length=batch.max_length,
                    stopping_criteria=stopping,
                    logits_processor=LogitsProcessorList([nan]),
                    pad_token_id=self.tokenizer.pad_token_id,
                    use_cache=True,
                    custom_generate=loop,
                    **batch.kwargs,
                )
        except ValueError as error:
            raise EvaluationError(
                f"{batch.items[0]}: cannot be generated: {error}. Mend generation_kwargs in the "
                "task's file, or evaluate.gen_kwargs."
            ) from error
        except RuntimeError:  # sampling fails on NaN before it can be looked for
            nan.check(batch.items)
            raise
        nan.check(batch.items)
        return [self._read(tokens, batch.stops) for tokens in said[:, start:].tolist()]

    def _stopping(self, batch: TextBatch, start: int) -> StoppingCriteriaList:
        """Return what ends a generation: each row's own stop string, where that is exact.

        A stop string inside a model's thoughts, or one written with special tokens that the text
        does not show, is not cut off afterwards; there HFLM's rule for the whole batch holds.
        """
        rows = len(batch.items)
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        stops = stops_at(self.tokenizer, batch.stops)
        if self.think_end_token is None and stops.are_text(ends):
            return StoppingCriteriaList([StopWatch(stops, start, rows)])
        return stop_sequences_criteria(self.tokenizer, list(batch.stops), start, rows)

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

    def _check_vocabulary(self, batch: Tensor) -> None:
        size = self.model.get_input_embeddings().num_embeddings
        if int(batch.max()) >= size:
            raise EvaluationError(
                f"tokenizer: gives token {int(batch.max())}, the model has {size} embeddings. "
                "Take the tokenizer that belongs to the model (merge.tokenizer)."
            )
