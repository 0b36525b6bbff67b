"""The rules of tokenizer_config.json and special_tokens_map.json."""

from typing import Any

from stages.download.checks.value_rules import (
    is_id,
    is_name,
    is_switch,
    is_table,
    is_text,
    rule,
)


def _is_added_token(value: Any) -> bool:
    return is_table(value) and is_text(value.get("content"))


def _is_numbered(number: str, token: Any) -> bool:
    is_row = number.isdecimal() and len(number) < 10 and is_id(int(number))
    return is_row and _is_added_token(token)


def _are_templates(value: Any) -> bool:
    """Return whether a value gives templates by name; transformers makes files of these names."""
    entries = value if isinstance(value, list) else []
    pairs = [(e.get("name"), e.get("template")) for e in entries if is_table(e)]
    if is_table(value):
        pairs = list(value.items())
    are_texts = all(is_name(name) and is_text(template) for name, template in pairs)
    if not are_texts or len({name for name, _ in pairs}) < max(len(entries), 1):
        return False
    return not any({*name} & {*"/\\"} for name, _ in pairs)


SPECIAL_TOKENS = (
    rule(
        r"(bos|eos|unk|pad|sep|cls|mask)_token",
        lambda value: is_text(value) or _is_added_token(value),
        "the text of a token",
    ),
)
TOKENIZER = (
    *SPECIAL_TOKENS,
    rule(r"tokenizer_class", is_text, "a name"),
    # Tokenizers write "no limit" as a whole number of 31 digits, or as 1e30.
    rule(
        r"(model_)?max_length",
        lambda value: type(value) in (int, float) and value >= 0,
        "a number of tokens from 0",
    ),
    rule(
        r"(add_(bos|eos)_token|do_lower_case|clean_up_tokenization_spaces|split_special_tokens)",
        is_switch,
        "true or false",
    ),
    rule(r"padding_side truncation_side", ("left", "right").__contains__, "left or right"),
    rule(
        r"added_tokens_decoder",
        lambda value: is_table(value) and all(_is_numbered(*pair) for pair in value.items()),
        'an object with an entry for each id, such as {"content": "</s>"}',
    ),
    rule(
        r"chat_template",
        lambda value: is_text(value) or _are_templates(value),
        "a text, or a list of objects with a name of its own and a template each",
    ),
)
