"""What a MergeKit file may say; every fault is found at once, with its line."""

from pathlib import Path

import pytest

from stages.errors import RecipeError
from stages.merge.mergekit.document import read_file, read_text
from stages.merge.mergekit.schema import Entry
from stages.recipe.model_reference import ModelReference

MODELS = "models: [{model: a}, {model: b}]\n"


def _faults(text: str) -> list[str]:
    with pytest.raises(RecipeError) as raised:
        read_text(text, file="m.yml")
    return str(raised.value).splitlines()


def test_every_fault_is_listed_with_its_line() -> None:
    """Typing errors of keys, parameters and values, over two documents, in the order of lines."""
    faults = _faults(
        "merge_method: tias\n"
        "models:\n"
        "  - model: a+b+c\n"
        "---\n"
        "merge_method: ties\n"
        "base_model: a\n"
        "models:\n"
        "  - model: a\n"
        "    parameters: {densty: 0.5}\n"
        "    wieght: 1\n"
        "parameters:\n"
        "  weight: '0.5'\n"
        "  density: true\n"
        "  normalize: 0.5\n"
        "dtype: bf16\n"
        "tokeniser: {}\n"
    )
    begins = [line.split(":")[0] for line in faults]
    assert [f"m.yml, line {n}" for n in (1, 3, 9, 10, 12, 13, 14, 15, 16)] == begins
    assert "Did you mean 'ties'?" in faults[0]
    assert "Did you mean 'density'?" in faults[2]
    assert "got '0.5'. Give a number without quotes." in faults[4]
    assert "got True. Give a number." in faults[5]
    assert "got 0.5. Give true or false." in faults[6]
    assert "Did you mean 'bfloat16'?" in faults[7]
    assert "Did you mean 'tokenizer'?" in faults[8]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (".nan", "got nan"),
        (".inf", "got inf"),
        ("", "got None"),
        ("[]", "an empty list"),
        ("[1, x]", "got 'x'"),
        ("{value: 1, filter: mlp}", "stands in a list"),
        ("[{filter: mlp}]", "value is missing"),
        ("[{value: 1, filtre: mlp}]", "Did you mean 'filter'?"),
        ("[{value: 1}, 2]", "got a mapping"),
    ],
)
def test_values_that_mean_nothing_are_refused(value: str, message: str) -> None:
    """A value is a number, a list of numbers, or a list of values with filters."""
    text = f"merge_method: linear\n{MODELS}parameters:\n  weight: {value}\n"
    assert any(message in line and "line 4" in line for line in _faults(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [{model: a}]", "merge_method is missing"),
        ("merge_method: linear", "got none. Give one of models, slices, modules"),
        (f"merge_method: linear\n{MODELS}slices: []", "got models and slices"),
        (f"merge_method: ties\n{MODELS}", "base_model: is missing. ties needs a base"),
        ("merge_method: linear\nmodels: []", "Give a list with at least one entry"),
        ("merge_method: linear\nslices: [{sources: [{model: a}]}]", "layer_range is missing"),
        (
            "merge_method: linear\nslices: [{sources: [{model: a, layer_range: [2, 2]}]}]",
            "Give [first, last + 1]",
        ),
        (
            "merge_method: linear\nslices: [{sources: [{model: a, layer_range: [0, 2]}, "
            "{model: b, layer_range: [0, 3]}]}]",
            "Give ranges of one length",
        ),
        (
            "merge_method: slerp\nbase_model: a\nmodels: [{model: b, parameters: {t: 1}}]",
            "has one value for a tensor, not one for a model",
        ),
        (f"merge_method: linear\n{MODELS}tokenizer_source: base\ntokenizer: {{}}", "Keep one"),
        (f"merge_method: linear\n{MODELS}compat: mergkit", "Did you mean 'mergekit'?"),
        (f"merge_method: linear\n{MODELS}models: []", "models is given twice, first on line 2"),
        (
            f"merge_method: linear\n{MODELS}tokenizer:\n  tokens: {{x: {{source: {{kind: no}}}}}}",
            "Legal are model_token, zero",
        ),
        (
            f"merge_method: linear\n{MODELS}"
            "tokenizer: {tokens: {x: {source: {kind: model_token, model: a}}}}",
            "model_token takes model, and token or token_id",
        ),
        ("- a", "Give a mapping of merge_method"),
        ("a: [", "not YAML"),
        ("a: !!python/object:os.system b", "is not plain data"),
        ("a: &a [*a]", "levels. Write the aliases out."),
        ("", "holds no document"),
    ],
)
def test_documents_that_mean_nothing_are_refused(text: str, message: str) -> None:
    """The message says what is wrong and what is legal."""
    assert any(message in line for line in _faults(text))


def test_aliases_that_multiply_are_refused() -> None:
    """A short text that stands for a billion values ends in an error, at once."""
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert any("more than 100000 values" in line for line in _faults("\n".join(lines)))


def test_models_are_spelled_in_three_ways() -> None:
    """A path, a revision and an adapter, as text or as a mapping, are one reference."""
    text = (
        "merge_method: linear\nparameters: {weight: 1}\nmodels:\n"
        "  - model: org/name@v1+org/lora@v2\n"
        "  - model: {model: {path: org/name, revision: v1}, lora: org/lora@v2}\n"
        "  - model: ./a folder\n"
    )
    (config,) = read_text(text, file="m.yml")
    inputs = [source.model for source in config.modules[0].slices[0].inputs]
    expected = ModelReference("org/name", "v1", "org/lora", "v2")
    assert [expected, expected, ModelReference("./a folder")] == inputs
    assert "org/name@v1+org/lora@v2" == str(expected)


def test_numbers_without_a_dot_are_numbers() -> None:
    """1e-5 is text to YAML 1.1 and a number to everyone who writes it; << merges mappings."""
    text = (
        "merge_method: linear\nmodels:\n"
        "  - {model: a, parameters: &p {weight: 1e-5}}\n"
        "  - {model: b, parameters: {<<: *p}}\n"
        "  - {model: c, parameters: {<<: *p, weight: 2}}\n"
    )
    (config,) = read_text(text, file="m.yml")
    values = [source.values["weight"] for source in config.modules[0].slices[0].inputs]
    assert [(Entry((1e-5,)),), (Entry((1e-5,)),), (Entry((2.0,)),)] == values


def test_a_document_is_read_again_as_it_was() -> None:
    """What ``to_dict`` gives is a file in MergeKit's language that means the same."""
    text = (
        "merge_method: ties\nbase_model: a\nslices:\n"
        "  - sources:\n"
        "      - {model: a, layer_range: [0, 2]}\n"
        "      - {model: b@v, layer_range: [1, 3], parameters: {weight: [0, 1]}}\n"
        "    parameters: {density: [{filter: mlp, value: [0.1, 1]}, {value: 0.5}]}\n"
        "parameters: {normalize: false, lambda: 2}\ndtype: float32\ncompat: mergekit\n"
        "tokenizer:\n  source: b@v\n  pad_to_multiple_of: 8\n  tokens:\n"
        "    <x>: {source: c}\n    <y>: {source: {kind: zero}, force: true}\n"
        "    <z>: {source: {kind: model_token, model: a, token_id: 3}}\n"
    )
    (config,) = read_text(text, file="m.yml")
    again = config.to_dict(str)
    assert (config,) == read_text(str(again).replace("None", "null"), file="m.yml")
    assert [ModelReference("a"), ModelReference("b", "v"), ModelReference("c")] == list(
        config.references
    )
    assert again["slices"][0]["sources"][1]["parameters"] == {"weight": [0.0, 1.0]}


def test_a_dtype_may_be_spelled_as_torch_does() -> None:
    """MergeKit takes torch.bfloat16, too; what is then no dtype is refused as it was given."""
    text = "merge_method: linear\nmodels: [{model: m, parameters: {weight: 1}}]\n"
    spelled = "dtype: torch.bfloat16\nout_dtype: torch.float16\n"
    (document,) = read_text(text + spelled, file="merge.yml")
    assert ("bfloat16", "float16") == (document.dtype, document.out_dtype)
    with pytest.raises(RecipeError, match=r"got 'torch\.half'\. Legal are float32"):
        read_text(text + "dtype: torch.half\n", file="merge.yml")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """So is one that is not text."""
    with pytest.raises(RecipeError, match="cannot be read"):
        read_file(tmp_path / "none.yml")
    (tmp_path / "bytes.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"bytes\.yml: line 1: it is UTF-16"):
        read_file(tmp_path / "bytes.yml")
