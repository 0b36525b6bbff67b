"""What is wrong with a value, in our words instead of pydantic's."""

from collections.abc import Mapping
from typing import Any

# By pydantic's names of faults; the braces are what it says about the limits.
_WORDS = {
    "bool_type": "give true or false",
    "dict_type": "give keys with their values",
    "finite_number": "give a finite number",
    "float_type": "give a number, without quotes",
    "greater_than": "give more than {gt}",
    "greater_than_equal": "give {ge} or more",
    "int_type": "give a whole number, without quotes",
    "less_than": "give less than {lt}",
    "less_than_equal": "give {le} or less",
    "list_type": "give a list",
    "literal_error": "give {expected}",
    "model_type": "give keys with their values",
    "string_too_short": "give a text that is not empty",
    "string_type": "give a text",
    "too_long": "give at most {max_length}",
    "too_short": "give at least {min_length}",
    "tuple_type": "give a list of two numbers",
}


def fault_words(fault: Mapping[str, Any]) -> str:
    """Return what to give instead of a value that pydantic refuses."""
    words = _WORDS.get(fault["type"])
    if words is None:
        return str(fault["msg"]).removeprefix("Value error, ")
    return words.format(**fault.get("ctx", {}))
