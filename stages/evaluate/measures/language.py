"""Tell the language of an answer, with a packaged detector that needs no download.

py3langid knows 139 languages and was chosen by measurement (docs/tasks.md). An answer that it
cannot judge, or takes for a related language, counts as being in the language asked for.
"""

import re
from functools import cache
from importlib.metadata import version
from typing import Any

from stages.errors import EvaluationError
from stages.evaluate.measures.prose import prose
from stages.hashing import nearest

# Of 278 short answers in 14 languages, 93 % were told right from here on, 38 % below.
LEAST_BYTES = 12
LANGUAGE_VERSION = 2  # raised when answers would be judged differently; part of the suite's key
_NO_LANGUAGE = "zxx"
_SAME = {"nb": "no"}  # codes that the detector knows by another name
# Groups of languages so alike that a short text may be in any of them.
_RELATIVES = (
    {"no", "nn", "da"},
    {"sr", "hr", "bs", "sl"},
    {"ms", "id"},
    {"zh", "yue", "wuu"},
)
# Japanese without kana is a name or a compound; these letters make it Chinese.
_ALL_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3005]+")
_CHINESE = re.compile("[是很吗嗎呢吧这這们們你她它哪把没沒什么麼說说对對为為還还让讓给給从從]")
_LONGEST_COMPOUND = 16


class Language:
    """The condition that an answer is in the language ``code`` (ISO 639, as ``es``)."""

    def __init__(self, code: str) -> None:
        """Check that the detector knows the language.

        Raises:
            EvaluationError: the detector does not know it.
        """
        legal = sorted({*_detector().labels, *_SAME} - {_NO_LANGUAGE})
        if code not in legal:
            raise EvaluationError(
                f"language {code!r} is not known. Legal: {', '.join(legal)}.{nearest(code, legal)}"
            )
        self.code = code

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides the verdict on an answer: language, detector and its version, rule."""
        return {
            "detector": "py3langid",
            "language": _SAME.get(self.code, self.code),
            "least_bytes": LEAST_BYTES,
            "rule": LANGUAGE_VERSION,
            "version": version("py3langid"),
        }

    def allows(self, answer: str) -> bool:
        """Tell whether ``answer`` is in the language, or holds too little text to judge.

        Only its prose counts: see ``prose.py``. Too little is fewer than 12 bytes of letters in
        UTF-8 (12 Latin, 6 Cyrillic, 4 Chinese letters), or text that the detector finds to be in
        no language. A bare number is right in every language; a guess from so little is noise in
        the fitness.
        """
        words = prose(answer)
        letters = "".join(char for char in words if char.isalpha())
        if len(letters.encode(errors="replace")) < LEAST_BYTES:
            return True
        code, _ = _detector().classify(words)
        return code in {_NO_LANGUAGE, *_alternatives(self.code, letters)}


def _alternatives(code: str, letters: str) -> set[str]:
    """Return the codes the detector may give to a text of ``letters`` in language ``code``."""
    wanted = _SAME.get(code, code)
    codes = {wanted}.union(*(group for group in _RELATIVES if wanted in group))
    if wanted in ("ja", "zh") and _is_compound(letters):
        codes |= {"ja", "zh", "yue", "wuu"}
    return codes


def _is_compound(letters: str) -> bool:
    is_short = len(letters) <= _LONGEST_COMPOUND
    return is_short and bool(_ALL_HAN.fullmatch(letters)) and not _CHINESE.search(letters)


@cache
def _detector() -> Any:
    """Return a detector of our own: the module's shared one can be set to fewer languages."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)
