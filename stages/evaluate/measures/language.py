"""Tell the language of an answer, with a packaged detector that needs no download.

py3langid knows 140 languages and was chosen by measurement (docs/tasks.md). What it cannot tell by
is counted as being in the language that is asked for.
"""

import re
from functools import cache
from importlib.metadata import version
from typing import Any

from stages.errors import EvaluationError
from stages.hashing import nearest

# Of 278 short answers in 14 languages, 93 % were told right from here on, 38 % below.
LEAST_BYTES = 12
_NO_LANGUAGE = "zxx"
_COMMAND = re.compile(r"\\[A-Za-z]+")  # of LaTeX: no words of any language


class Language:
    """The condition that an answer is in the language ``code`` (ISO 639, as ``es``)."""

    def __init__(self, code: str, where: str) -> None:
        """Check that the detector knows the language.

        Raises:
            EvaluationError: it does not.
        """
        legal = sorted(set(_detector().labels) - {_NO_LANGUAGE})
        if code not in legal:
            raise EvaluationError(
                f"{where}: language {code!r} is not known. Legal: {', '.join(legal)}."
                f"{nearest(code, legal)}"
            )
        self.code = code

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the verdict on an answer: language, detector and its version, rule."""
        return {
            "detector": "py3langid",
            "language": self.code,
            "least_bytes": LEAST_BYTES,
            "version": version("py3langid"),
        }

    def allows(self, answer: str) -> bool:
        """Tell whether ``answer`` is in the language, or holds too little to tell by.

        Too little is fewer than 12 bytes of letters in UTF-8 (12 Latin, 6 Cyrillic, 4 Chinese
        letters), LaTeX commands not counted, or text that the detector finds to be in no language.
        A bare number is right in every language; a guess from so little is noise in the fitness.
        """
        words = _COMMAND.sub(" ", answer)
        letters = sum(len(char.encode(errors="replace")) for char in words if char.isalpha())
        if letters < LEAST_BYTES:
            return True
        found, _ = _detector().classify(words)
        return found in (self.code, _NO_LANGUAGE)


@cache
def _detector() -> Any:
    """Return a detector of our own: the module's shared one can be set to fewer languages."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)
