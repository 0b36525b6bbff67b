"""pick: a model for each depth, or for each group of depths."""

from tests.select.space.layers.paths import path_of, paths


def test_each_depth_has_a_model_of_its_own() -> None:
    """Layer i of the child is layer i of the model that is chosen for it."""
    space = paths("pick", layers=3)
    models = {"layers00-00__model": "a", "layers01-01__model": "b", "layers02-02__model": "a"}
    assert path_of(space, **models) == "a0 b1 a2"


def test_groups_share_a_model_and_fixed_layers_are_a_group() -> None:
    """Of five layers between one fixed first and one fixed last, the third group has one."""
    space = paths("pick", layers=7, group=2, first_fixed=1, last_fixed=1)
    names = [gene.name for gene in space.genes]
    groups = ["layers00-00", "layers01-02", "layers03-04", "layers05-05", "layers06-06"]
    assert names == [f"{group}.model" for group in groups]
    models = dict(zip([name.replace(".", "__") for name in names], "abbaa", strict=True))
    assert path_of(space, **models) == "a0 b1 b2 b3 b4 a5 a6"


def test_gains_are_those_of_a_group_between_the_fixed_layers() -> None:
    """A fixed group has no gene of a gain."""
    space = paths("pick", layers=3, first_fixed=1, group=2, mlp_gain=[0.5, 2.0])
    assert [gene.name for gene in space.genes] == [
        *("layers00-00.model", "layers01-02.model", "layers01-02.log_mlp_gain"),
    ]
    models = {"layers00-00__model": "a", "layers01-02__model": "b"}
    assert path_of(space, **models, **{"layers01-02__log_mlp_gain": -0.5}) == (
        "a0 b1*1/0.6065 b2*1/0.6065"
    )
