"""lm-eval's HFLM, with all work that does not depend on the weights done once.

Requests are tokenised as HFLM does, sorted, batched and padded by ``prepare``; ``answer`` then
runs the model and reads the answers. A batch holds requests of one task, so that a task's
scores do not depend on the other tasks in the suite.

Every answer is that of HFLM with a batch of one, up to rounding, whatever the batch (docs/tasks.md
lists where that is not HFLM's answer in its own batches). Requests that begin alike share a row
where the model can read it (``prefix_trees``, ``tree_attention``), a row stops at its own stop
string and leaves the batch (``generation``, ``decoding``), only needed logits are computed, a
batch that does not fit the memory is halved, NaN is refused, and a request that is longer than the
context is refused unless ``truncation`` is asked for.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from torch import Tensor

from stages.errors import EvaluationError, kind_and_words
from stages.evaluate.arguments.device import check_device
from stages.evaluate.arguments.lm_eval_arguments import model_args
from stages.evaluate.backends.backend import Note, say_nothing
from stages.evaluate.model_checks.whole_weights import WholeWeights
from stages.evaluate.resident.kept_states import KeptStates
from stages.evaluate.resident.out_of_memory import in_halves
from stages.evaluate.resident.prefix_trees import rows_of
from stages.evaluate.resident.requests import Prepared, Request, sum_windows
from stages.evaluate.resident.text_model import TextLM
from stages.evaluate.resident.token_batches import Encoded, TokenBatch, batches_of
from stages.evaluate.resident.tree_attention import check_rotations, read_logits, sharing_of
from stages.params.evaluate_params import EvaluateParams


class ResidentLM(WholeWeights, TextLM):
    """HFLM on a resident model: prepares requests once, answers them for every candidate."""

    states: KeptStates
    _model: Any  # of HFLM

    @classmethod
    def open(cls, folder: Path, params: EvaluateParams) -> Self:
        """Load the model of ``folder`` as ``lm-eval --model hf`` would.

        Raises:
            EvaluationError: the folder holds no model that transformers can load.
        """
        model = cls.loaded(folder, params)
        model._probe()  # noqa: SLF001
        return model

    def _probe(self) -> None:
        """Find what the loaded model may read together."""
        # Autocast runs layers in another dtype than that of the mask.
        self._sharing = sharing_of(self.model, may_read_trees=not self.mixed_precision_dtype)
        self.states = KeptStates(self.model)

    @classmethod
    def loaded(cls, folder: Path, params: EvaluateParams) -> Self:
        """Return HFLM's model of ``folder``, on the device and with the arguments of ``params``.

        Raises:
            EvaluationError: as ``open``.
        """
        try:
            model = cls(
                pretrained=str(folder),
                batch_size=params.batch_size,
                device=params.device,
                **model_args(params.model_args, params.device),
            )
        except EvaluationError:  # of weights that lack
            raise
        except Exception as error:
            raise EvaluationError(
                f"model {folder.name}: cannot be loaded: {kind_and_words(error)}. "
                "A model folder holds config.json, weights and a tokenizer; see also "
                "evaluate.model_args."
            ) from error
        if str(model.device) != params.device:  # HFLM silently takes another one
            check_device(params.device)
            raise EvaluationError(f"evaluate.device: lm-eval takes {model.device} for it.")
        model._batch_tokens = params.batch_tokens
        fault = check_rotations(model.model, model.max_length)
        if fault:
            raise EvaluationError(f"evaluate.model_args: {fault}")
        return model

    def prepare(self, requests: Sequence[Request]) -> Prepared:
        """Return the requests of one task and one kind as padded batches.

        Raises:
            EvaluationError: a request is empty, too long, or holds an unknown token.
        """
        kind, num = requests[0].kind, len(requests)
        if kind == "generate_until":
            prepared = Prepared(kind, num, texts=self.texts(requests))
        elif kind == "loglikelihood":
            encoded = [self._encode(i, request) for i, request in enumerate(requests)]
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

    def answer(self, prepared: Prepared, note: Note = say_nothing) -> list[Any]:
        """Return the model's answer to each request: (log-likelihood, is greedy), or text.

        Raises:
            EvaluationError: the model gives NaN.
        """
        if prepared.kind == "generate_until":
            texts = [""] * prepared.num_requests
            for whole in prepared.texts:
                for part, said in in_halves(whole, self.generate):
                    for request, text in zip(part.requests, said, strict=True):
                        texts[request] = text
                    note(len(said))
            return texts
        rolling = prepared.kind == "loglikelihood_rolling"
        num = sum(prepared.windows) if rolling else prepared.num_requests
        scored: list[tuple[float, bool]] = [(0.0, False)] * num
        for batch in prepared.tokens:
            for _, results in in_halves(batch, self._score):
                for request, result in results:
                    scored[request] = result
                note(len(results) * prepared.num_requests / num)
        return sum_windows(prepared.windows, [v for v, _ in scored]) if rolling else scored

    def _score(self, batch: TokenBatch) -> list[tuple[int, tuple[float, bool]]]:
        if self._sharing.reach:
            with self.states.of(batch):
                logits = read_logits(self.model, batch, self.device)
        else:
            logits = self._model_call(batch.inputs.to(self.device))[batch.read.to(self.device)]
        return list(batch.score(logits, self.softmax_dtype))

    def use_template(self, choice: bool | str) -> None:
        """Choose the chat template: the only one, or that named ``choice``.

        Raises:
            EvaluationError: the tokenizer has no template, or none of that name.
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
                "Set it to false, or use a base model with a template."
            )

    def _encode(self, number: int, request: Request) -> Encoded:
        context, continuation = request.arguments
        if context == "":
            target = self.tok_encode(continuation, add_special_tokens=False)
            start = [self.prefix_token_id]
            if target and target[0] == self.prefix_token_id:
                start, target = target[:1], target[1:]
        else:
            start, target = self._encode_pair(context, continuation)
        return self._fitted(Encoded(number, start, target, request.item))

    def _fitted(self, encoded: Encoded) -> Encoded:
        """Return the request, cut from the left to fit the context if truncation is set."""
        if not encoded.target or not encoded.context:
            raise EvaluationError(
                f"{encoded.item}: an answer or its context is empty once tokenised. Every choice "
                "and target needs at least one token; fix the task."
            )
        length = len(encoded.context) + len(encoded.target) - 1
        if length > self.max_length:
            self._refuse_long(encoded.item, length, len(encoded.target) <= self.max_length)
        return encoded.cut(self.max_length + 1)

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
        group = self._sharing.group
        rows = rows_of(
            encoded, reach=self._sharing.reach if self.logits_cache else None, group=group
        )
        return tuple(
            batches_of(rows, num_rows=self.batch_size, num_tokens=self._batch_tokens, group=group)
        )

    def _check_vocabulary(self, batch: Tensor) -> None:
        size = self.model.get_input_embeddings().num_embeddings
        if int(batch.max()) >= size:
            raise EvaluationError(
                f"tokenizer: gives token {int(batch.max())}, the model has {size} embeddings. "
                "Take the tokenizer that belongs to the model (merge.tokenizer)."
            )
