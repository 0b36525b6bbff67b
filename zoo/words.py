"""The words the zoo knows: the numbers 0 to 99 and eight kinds of question, in two languages."""

from typing import Literal

from num2words import num2words

Language = Literal["en", "es"]
LANGUAGES: tuple[Language, ...] = ("en", "es")
LIMIT = 100

NUMBERS: dict[Language, list[str]] = {
    lang: [num2words(i, lang=lang).replace("-", " ") for i in range(LIMIT)] for lang in LANGUAGES
}

QUESTIONS: dict[Language, dict[str, str]] = {
    "en": {
        "plus": "what is {} plus {} ?",
        "minus": "what is {} minus {} ?",
        "after": "what comes after {} ?",
        "before": "what comes before {} ?",
        "say": "say {} in english :",
        "count": "count from {} :",
        "larger": "which is larger , {} or {} ?",
        "sort": "sort {} :",
    },
    "es": {
        "plus": "cuánto es {} más {} ?",
        "minus": "cuánto es {} menos {} ?",
        "after": "qué viene después de {} ?",
        "before": "qué viene antes de {} ?",
        "say": "di {} en español :",
        "count": "cuenta desde {} :",
        "larger": "cuál es mayor , {} o {} ?",
        "sort": "ordena {} :",
    },
}

SUM_OPENINGS: dict[Language, str] = {"en": "what is", "es": "cuánto es"}
SIGNS: dict[Language, dict[int, str]] = {
    "en": {1: "plus", -1: "minus"},
    "es": {1: "más", -1: "menos"},
}

PAD, EOS, BOS, UNKNOWN = "<pad>", "<eos>", "<bos>", "<unk>"
SPECIAL = (PAD, EOS, BOS, UNKNOWN)


def vocabulary() -> list[str]:
    """Return every word, special ones first; a word's place is its token id."""
    texts = [word for lang in LANGUAGES for word in NUMBERS[lang]]
    texts += [text.replace("{}", " ") for lang in LANGUAGES for text in QUESTIONS[lang].values()]
    return [*SPECIAL, *sorted({word for text in texts for word in text.split()} | {","})]
