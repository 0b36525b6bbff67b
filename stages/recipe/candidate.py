"""A candidate of a search: a recipe with its origin."""

from dataclasses import dataclass, field

from stages.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Candidate:
    """A genome, the recipe it decodes to, and where in the search it arose."""

    name: str  # g03-c07: generation 3, place 7; or a baseline's or parent's name
    genome: tuple[float, ...]
    recipe: Recipe
    generation: int
    ancestors: tuple[str, ...] = field(default=())

    @property
    def id(self) -> str:
        """The recipe's id: two places in a search may hold one candidate."""
        return self.recipe.id
