"""splice: cuts, models of segments, overlaps."""

import pytest

from stages.errors import ParamsError
from tests.select.space.layers.paths import path_of, paths


def test_segments_follow_each_other() -> None:
    """One cut of six layers: a up to it, b from it on."""
    space = paths("splice")
    assert path_of(space, cut1=4, segment1__model="a", segment2__model="b") == "a0 a1 a2 a3 b4 b5"
    assert path_of(space, cut1=1, segment1__model="b", segment2__model="a") == "b0 a1 a2 a3 a4 a5"
    assert [gene.name for gene in space.genes] == ["cut1", "segment1.model", "segment2.model"]


def test_cuts_have_no_order() -> None:
    """The lower cut is the first, whichever gene says it."""
    space = paths("splice", cuts=2, parents=3)
    models = {"segment1__model": "a", "segment2__model": "b", "segment3__model": "c"}
    assert path_of(space, cut1=2, cut2=4, **models) == "a0 a1 b2 b3 c4 c5"
    assert path_of(space, cut1=4, cut2=2, **models) == "a0 a1 b2 b3 c4 c5"
    assert path_of(space, cut1=3, cut2=3, **models) == "a0 a1 a2 c3 c4 c5"


def test_an_overlap_runs_layers_again_where_there_is_room() -> None:
    """Goliath's stack; it does not reach the fixed first layers, nor beyond max_layers."""
    models = {"segment1__model": "a", "segment2__model": "b"}
    space = paths("splice", overlap=3)
    assert path_of(space, cut1=4, cut1__overlap=2, **models) == "a0 a1 a2 a3 b2 b3 b4 b5"
    space = paths("splice", overlap=3, first_fixed=1, last_fixed=1)
    assert path_of(space, cut1=2, cut1__overlap=3, **models) == "a0 a1 b1 b2 b3 b4 b5"
    space = paths("splice", overlap=3, max_layers=7)
    assert path_of(space, cut1=4, cut1__overlap=3, **models) == "a0 a1 a2 a3 b3 b4 b5"


def test_gains_are_searched_by_their_logarithm_and_spare_fixed_layers() -> None:
    """At 0 the gain is exactly 1, at log 2 about 2; the first layer is fixed and has none."""
    space = paths("splice", attention_gain=[0.25, 4.0], mlp_gain=[0.5, 0.5], first_fixed=1)
    models = {"segment1__model": "a", "segment2__model": "b"}
    gains = {"segment1__log_attention_gain": 0.6931, "segment2__log_attention_gain": 0.0}
    path = path_of(space, cut1=2, **models, **gains)
    assert path == "a0 a1*1.9999/0.5 b2*1/0.5 b3*1/0.5 b4*1/0.5 b5*1/0.5"


def test_what_cannot_be_cut_is_said_together() -> None:
    """Cuts, overlap, pool and fixed layers are judged at once."""
    with pytest.raises(ParamsError) as caught:
        paths("splice", parents=1, cuts=7, overlap=9)
    said = str(caught.value)
    assert "splice chooses between models, and the pool is a alone" in said
    assert "layers.cuts is 7. With 6 layers, 0 first and 0 last ones fixed, there are 5" in said
    assert "layers.overlap is 9. At most 5 layers of 6 lie before a cut" in said


def test_overlaps_share_the_room_that_there_is() -> None:
    """With room for two more layers the first cut takes both, the second none."""
    space = paths("splice", cuts=2, overlap=2, max_layers=8)
    models = dict(
        zip(("segment1__model", "segment2__model", "segment3__model"), "aba", strict=True)
    )
    cuts = {"cut1": 4, "cut1__overlap": 2, "cut2": 3, "cut2__overlap": 2}
    assert path_of(space, **models, **cuts) == "a0 a1 a2 b1 b2 b3 a4 a5"


def test_an_overlap_into_fixed_layers_is_refused() -> None:
    """Its longest values would all be the same path."""
    with pytest.raises(
        ParamsError, match=r"overlap is 3\. At most 2 layers of 6 lie before a cut"
    ):
        paths("splice", overlap=3, first_fixed=3, last_fixed=1)
    assert paths("splice", overlap=2, first_fixed=3, last_fixed=1).genes
