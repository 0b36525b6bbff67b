"""What a file may end with, if not with two children: each way under its name."""

import re

from tests.oracle.random_merges.two_sides import Child, Sides

# MergeKit's tracebacks on files that we carry out: the methods, the kinds of model, the text.
CRASHES = {
    "MergeKit's ValueError: epsilon of della too near to 0 or 1": (
        ("della", "della_linear"),
        ("llama", "qwen2", "gemma2", "mixtral", "phi3"),
        r"ValueError: Epsilon must be chosen such that density \+/- epsilon is in \(0, 1\)",
    ),
    "MergeKit's StrictDataclassClassValidationError: layer_types of a stack": (
        (),
        ("qwen2", "gemma2"),
        r"(?s)StrictDataclassClassValidationError: .*must be equal to the number of `layer_types`",
    ),
}
# What we refuse and MergeKit carries out.
REFUSALS = {
    "filters on the experts of a layer": (
        ("mixtral",),
        r"the filter '[\w.]+' matches (\d+|no) tensors? .*by the names in the file, but (\d+|no) ",
    ),
}
# What both refuse, and how each says so.
BOTH = {
    "both refuse: the base is not in each slice": (
        r"ValueError: Base input is not present in merge inputs for \S+\.slices\[\d+\]$",
        r"error: .*slices\[\d+\]: the base \S+ is not among the sources\.",
    ),
}


def reason_of(sides: Sides, mergekits: Child | str, ours: Child | str) -> str | None:
    """Return the name of what explains that one side has no child, or neither."""
    if isinstance(ours, str) and isinstance(mergekits, str):
        return next((n for n, pair in BOTH.items() if _is_pair(mergekits, ours, *pair)), None)
    if isinstance(mergekits, str):
        return next((n for n, c in CRASHES.items() if _is_crash(sides, mergekits, *c)), None)
    if isinstance(ours, str):
        return next((n for n, (k, t) in REFUSALS.items() if _is_refusal(sides, ours, k, t)), None)
    return None


def _is_crash(
    sides: Sides, said: str, methods: tuple[str, ...], kinds: tuple[str, ...], text: str
) -> bool:
    is_concerned = (not methods or sides.file.method in methods) and sides.file.kind in kinds
    return is_concerned and re.match(text, said) is not None


def _is_refusal(sides: Sides, said: str, kinds: tuple[str, ...], text: str) -> bool:
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    is_concerned = sides.file.kind in kinds and bool(errors)
    return is_concerned and all(re.search(text, line) is not None for line in errors)


def _is_pair(mergekits: str, ours: str, said: str, text: str) -> bool:
    errors = [line for line in ours.splitlines() if line.startswith("error: ")]
    is_same = re.match(said, mergekits) is not None and bool(errors)
    return is_same and all(re.match(text, line) is not None for line in errors)
