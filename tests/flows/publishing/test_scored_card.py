"""What a card says of scores: errors that are never nought, estimates, and tasks' odd names."""

from flows.publishing.run_model import RunModel
from flows.publishing.scored_card import score_table
from stages.recipe.recipe import Model, Recipe, Rule

RECIPE = Recipe.of_models(
    "linear", (Model("a", "1" * 64), Model("b", "2" * 64)), (Rule({"weight": (0.5, 0.5)}),)
)


def model(scores: object) -> RunModel:
    """Return a candidate with scores."""
    return RunModel("g00-c00", "candidate", RECIPE, "f" * 64, scores)  # type: ignore[arg-type]


def test_scores_have_errors_and_directions() -> None:
    """An error of 0 is Wilson's; estimates are called so; lower is better is said; in order."""
    score = {
        "metric": "acc",
        "score": 1.0,
        "stderr": 0.0,
        "num_items": 9,
        "higher_is_better": True,
    }
    lower = {**score, "metric": "perplexity", "higher_is_better": False, "stderr": 0.25}
    table = score_table(
        model({"test": {"a|b": lower}, "search": {"sums": score | {"estimator": "mean"}}})
    )
    lines = table.splitlines()
    assert "| search | sums | acc | 1.000 ± 0.000 | 9, estimated (mean) |" == lines[2]
    assert "| test | a\\|b | perplexity, lower is better | 1.000 ± 0.250 | 9 |" == lines[3]
    assert "the test items were read once" in table
    assert "± 0.100 | 9 |" in score_table(model({"validation": {"sums": score}}))


def test_model_without_scores_says_so() -> None:
    """A card promises nothing that was not measured."""
    assert "It was never scored.\n" == score_table(model({}))
