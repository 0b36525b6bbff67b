"""The few numbers that ``dvc metrics`` and ``dvc exp show`` compare between runs."""

from stages.report.story import Story


def metrics_of(story: Story) -> dict[str, float | int]:
    """Return the champion's test fitness, its lead over the best parent, items spent and seed.

    In the order in which a reader wants them. Errors are standard errors over items, the lead's
    paired; ``items`` counts those that search and validation asked for. A run without parents on
    the test split has no lead.
    """
    lead = next((rival.lead for rival in story.rivals if rival.kind == "parent"), None)
    leads = {} if lead is None else {"lead": lead.difference, "lead_error": lead.stderr}
    return {
        "test_fitness": story.models[0].fitness,
        "test_error": story.models[0].stderr,
        **leads,
        "items": story.cost.search + story.cost.validation,
        "seed": story.seed,
    }
