"""What of ``evaluate`` decides how a prompt is written."""

from dataclasses import dataclass
from typing import Self

from stages.errors import EvaluationError
from stages.params.evaluate_params import EvaluateParams


@dataclass(frozen=True, slots=True)
class PromptArguments:
    """How prompts are written, and of how many documents where a task draws from all of them."""

    system_instruction: str | None
    apply_chat_template: bool
    fewshot_as_multiturn: bool
    limit: int | None

    @classmethod
    def of(cls, params: EvaluateParams) -> Self:
        """Return those of ``params``.

        As on lm-eval's command line few-shot examples are turns of the conversation where a chat
        template is applied, unless params say.

        Raises:
            EvaluationError: they should be turns, but no chat template is applied.
        """
        is_chat, is_multiturn = bool(params.apply_chat_template), params.fewshot_as_multiturn
        if is_multiturn and not is_chat:
            raise EvaluationError(
                "evaluate.fewshot_as_multiturn: is true, but evaluate.apply_chat_template is not. "
                "Turns need a chat template; set it to true, or this to false."
            )
        return cls(
            params.system_instruction,
            is_chat,
            is_chat if is_multiturn is None else is_multiturn,
            params.limit,
        )
