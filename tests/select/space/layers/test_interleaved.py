"""interleaved: slots in the order of the layers."""

from tests.select.space.layers.paths import path_of, paths


def test_layers_of_all_models_stand_next_to_each_other() -> None:
    """Layer 0 of every model, then layer 1 of every model, then all again."""
    space = paths("interleaved", layers=2, repeats=2)
    on = {
        f"pass{n}__{model}__layer{layer:02d}": 1
        for n in (1, 2)
        for model in "ab"
        for layer in (0, 1)
    }
    assert path_of(space, **on) == "a0 b0 a1 b1 a0 b0 a1 b1"


def test_the_first_model_alone_is_the_start() -> None:
    """Its slots are in the middle of ranges that begin below 0 and end far above it."""
    space = paths("interleaved", layers=2)
    assert space.from_unit([0.5] * 4) == (2.0, 0.0, 2.0, 0.0)
