"""select.space.layers: every encoding's keys are checked, at their line, all together."""

import re
from pathlib import Path

import pytest

from stages.errors import ParamsError
from stages.params.load import Params, load_params

TEXT = """download: {{base: zoo:base, parents: {{math: zoo:math}}}}
evaluate: {{tasks: [{{task: spanish_arithmetic}}]}}
select:
  space:
    {space}
"""


def loaded(folder: Path, space: str) -> Params:
    """Return params with this text in select.space."""
    path = folder / "params.yaml"
    path.write_text(TEXT.format(space=space), encoding="utf-8")
    return load_params(path)


@pytest.mark.parametrize("encoding", ["splice", "pick", "blocks", "indicator", "interleaved"])
def test_every_encoding_is_chosen_by_its_name(encoding: str, tmp_path: Path) -> None:
    """The other keys have defaults."""
    layers = loaded(tmp_path, f"layers: {{encoding: {encoding}}}").select.space.layers
    assert layers is not None
    assert layers.encoding == encoding


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("layers: {encoding: splise}", "layers.encoding: got 'splise'. Legal: splice, pick, blo"),
        ("layers: {encoding: splise}", "Did you mean 'splice'"),
        ("layers: splice", "select.space.layers: give keys with their values, got 'splice'"),
        ("layers: {cuts: 2}", "layers.encoding: missing, this key is required. Legal: splice, pi"),
        ("layers: {encoding: pick, cuts: 2}", "line 5: select.space.layers.cuts: unknown key"),
        ("layers: {encoding: pick, cuts: 2}", "Legal here: attention_gain, encoding, first_fixed"),
        ("layers: {encoding: splice, cuts: 0}", "select.space.layers.cuts: give 1 or more, got 0"),
        ("layers: {encoding: splice, mlp_gain: [0, 1]}", "layers.mlp_gain: give [low, high] with"),
        ("layers: {encoding: pick, mlp_gain: [-1, 1]}", "so 0 and negative gains are not legal"),
        ("layers: {encoding: pick, mlp_gain: [2, 1]}", "with 1/64 <= low <= high <= 64"),
        ("layers: {encoding: blocks, times: [2, 1]}", "layers.times: give [low, high] with low"),
        ("layers: {encoding: blocks, times: [1, 65]}", "the smallest gain is 1/64, so end at 64"),
        ("layers: {encoding: pick, min_layers: 9, max_layers: 8}", "no child has such a depth"),
        ("methods: []", "methods is [] and there is no layers; list a method, or give layers"),
        (
            "{methods: [], weight: [0, 1], layers: {encoding: pick}}",
            "methods is [], and weight is given; without a method nothing is merged",
        ),
    ],
)
def test_what_is_not_legal_says_where_and_what_is(space: str, said: str, tmp_path: Path) -> None:
    """The kind of a section is not part of a key's place."""
    with pytest.raises(ParamsError, match=re.escape(said)):
        loaded(tmp_path, space)


def test_faults_of_several_keys_are_listed_together(tmp_path: Path) -> None:
    """Two gains and a number of cuts are three lines."""
    text = "layers: {encoding: splice, cuts: 0, mlp_gain: [0, 1], attention_gain: [-1, 1]}"
    with pytest.raises(ParamsError) as caught:
        loaded(tmp_path, text)
    assert len(str(caught.value).splitlines()) == 3
