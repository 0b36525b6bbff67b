"""The search space: genomes to recipes and back.

A genome is a tuple of numbers in the genes' own units, rounded to ``space.decimals``. Genes of
parameters that the chosen method does not take are inert: genomes that differ only in them decode
to one recipe, share its id, and cost one evaluation.
"""

from collections.abc import Mapping, Sequence

from stages.errors import ParamsError, RecipeError
from stages.params.merge_params import MergeParams
from stages.params.space.space_params import SpaceParams
from stages.recipe.canonical import canonical
from stages.recipe.method_spec import MethodSpec, Parameter
from stages.recipe.model_size import ModelSize
from stages.recipe.recipe import MERGE, Ancestor, Model, NestedRecipe, Recipe, Rule, Value
from stages.select.space.gene_ranges import NORMALIZE, spans_of
from stages.select.space.genes import METHOD, Gene, genes_of, specs_of
from stages.select.space.layer_blocks import blocks_of
from stages.select.space.layers.encoding import Encoding
from stages.select.space.layers.encodings import encoding_of
from stages.select.space.layers.hops import Hop, hops_of
from stages.select.space.nearest_genome import read_rules
from stages.select.space.path_recipe import path_recipe
from stages.select.space.weight_ratios import divides_weights

Genome = tuple[float, ...]

MAX_GENES = 10_000  # CMA holds a matrix of genes by genes: 0.8 GB


class Space:
    """The genes over (method, block, parameter, parent) and their bounds.

    ``genes`` are those that are searched, in the order of a genome; ``fixed`` have bounds [x, x].
    """

    def __init__(
        self,
        params: SpaceParams,
        *,
        specs: Mapping[str, MethodSpec],
        num_parents: int,
        num_layers: int,
        parent_names: Sequence[str] = (),
        module: str = "default",
        size: ModelSize | None = None,
    ) -> None:
        """Lay out the genes; ``parent_names`` only name them.

        ``module`` is the part of the models whose ``num_layers`` layers a path goes through;
        bounds on a child's parameters go by ``size``, without which there are none.

        Raises:
            ParamsError: the space asks for what a method, or these models, cannot do.
        """
        names = tuple(parent_names) or tuple(str(i) for i in range(num_parents))
        if len(names) != num_parents:
            raise ParamsError(
                f"search space: {len(names)} parent names for {num_parents} parents. Name each."
            )
        self.params = params
        self.num_parents = num_parents
        self.parent_names = names
        self.specs = specs_of(params, specs, num_parents)
        self._spec_of = {spec.name: spec for spec in specs.values()}.__getitem__
        self._module = module
        self.layers: Encoding | None = None
        if params.layers is not None:
            size = size or ModelSize((0,) * num_layers)
            self.layers = encoding_of(
                params.layers, names, size, params.decimals, merges=bool(self.specs)
            )
        self.blocks = blocks_of(params, num_layers)
        spans = spans_of(params, self.specs, num_parents)
        self._all = genes_of(self.methods, spans, self.blocks, names)
        self._all += self.layers.genes() if self.layers else ()
        self.genes = tuple(gene for gene in self._all if not gene.is_fixed)
        self.fixed = tuple(gene for gene in self._all if gene.is_fixed)
        if len(self.genes) > MAX_GENES:
            raise ParamsError(
                f"params.yaml: select.space has {len(self.genes)} genes; the most are "
                f"{MAX_GENES}. Lower layer_groups, or list fewer components, methods or parents."
            )

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the methods in the space, in the order of the method gene's bins."""
        return tuple(spec.name for spec in self.specs)

    def round(self, genome: Sequence[float]) -> Genome:
        """Return ``genome`` rounded to the space's decimals and held within its bounds."""
        self._check_length(genome)
        decimals = self.params.decimals
        return tuple(g.clip(float(v), decimals) for g, v in zip(self.genes, genome, strict=True))

    def from_unit(self, point: Sequence[float]) -> Genome:
        """Return the rounded genome at ``point`` of the unit cube."""
        self._check_length(point)
        return self.round(
            [g.low + float(u) * (g.high - g.low) for g, u in zip(self.genes, point, strict=True)]
        )

    def to_unit(self, genome: Sequence[float]) -> tuple[float, ...]:
        """Return where in the unit cube the rounded ``genome`` lies."""
        pairs = zip(self.genes, self.round(genome), strict=True)
        return tuple((value - g.low) / (g.high - g.low) for g, value in pairs)

    def named(self, genome: Sequence[float]) -> dict[str, float]:
        """Return the genes of ``genome`` by name, fixed genes included."""
        values = self._values(genome)
        return {gene.name: values[gene] for gene in self._all}

    def path(self, genome: Sequence[float]) -> tuple[Hop, ...]:
        """Return the path of ``genome`` through the pool of ``layers``; () without layers."""
        if self.layers is None:
            return ()
        values = {g.name: g.value_of(v) for g, v in self._values(genome).items()}
        return tuple(self.layers.decode(values))

    def near_path(self, path: Sequence[Hop], genome: Genome | None = None) -> Genome | None:
        """Return the genome nearest to ``path``, all else as in ``genome`` or at its middle.

        It is None where the encoding has nothing like the path.
        """
        values = self.layers.encode(path) if self.layers else None
        if values is None:
            return None
        rest = self.from_unit([0.5] * len(self.genes)) if genome is None else genome
        numbers = [
            gene.number_of(values[gene.name]) if gene.name in values else number
            for gene, number in zip(self.genes, rest, strict=True)
        ]
        return self.round([0.0 if number is None else number for number in numbers])

    def decode(self, genome: Sequence[float]) -> tuple[str, tuple[Rule, ...]]:
        """Return the method of ``genome`` and one rule per block; it is rounded first.

        A space of paths alone copies: its method is ``passthrough``.

        Raises:
            RecipeError: the genome has another length than the space, or a gene is not finite.
        """
        values = self._values(genome)
        if not self.specs:
            return "passthrough", (Rule({}),)
        methods = [gene.value_of(v) for gene, v in values.items() if gene.parameter == METHOD]
        spec = self.specs[self.methods.index(str(methods[0]))] if methods else self.specs[0]
        rules = tuple(
            Rule(
                # A choice that params.yaml does not name is left to its default.
                {
                    p.name: self._value(values, p, index)
                    for p in spec.parameters
                    if not p.choices or p.name in self.params.parameters
                },
                block.layers,
                block.component,
            )
            for index, block in enumerate(self.blocks)
        )
        return spec.name, rules

    def encode(self, method: str, rules: Sequence[Rule]) -> Genome:
        """Return the point of the space nearest to a recipe's method and rules.

        Each gene is the mean of what the rules give to the tensors of its block, rounded and held
        within its bounds; a binned one is the middle of the bin of that mean, or of the commonest
        name. What the rules do not give is derived from their weights (``t`` for two
        parents, ``source`` as the heaviest), else is the parameter's default, else the middle of
        the bounds. Weights that the rules normalise and the space does not are divided by their
        sum, unless both methods divide entry by entry (TIES and its kind). A method outside the
        space becomes the first in it that takes most of what the rules give.
        """
        if not self.specs:
            raise RecipeError(
                "recipe: cannot be a genome, as select.space.methods is []. List a method there."
            )
        given = {name for rule in rules for name in rule.values}
        spec = self._nearest_method(method, given)
        parameters = [p for s in (*self.specs, spec) for p in s.parameters]
        defaults = {p.name: p.default for p in parameters}
        divides = not self.params.normalize and divides_weights(method, spec.name)
        read = read_rules(rules, self.blocks, self.num_parents, divides=divides)
        genome = []
        for gene in self.genes:
            value = gene.number_of(spec.name) if gene.parameter == METHOD else read(gene)
            if value is None:
                value = gene.number_of(defaults.get(gene.parameter))
            genome.append((gene.low + gene.high) / 2 if value is None else value)
        if self.layers is None:
            return self.round(genome)
        merge = len(self.layers.pool) - 1
        whole = self.near_path(hops_of(merge, 0, self.layers.num_layers), self.round(genome))
        return self.round(genome) if whole is None else whole

    def make_recipe(
        self,
        genome: Sequence[float],
        *,
        base: Model | None,
        parents: tuple[Model, ...],
        merge: MergeParams,
    ) -> Recipe:
        """Return the recipe of ``genome`` on these models, merged as ``merge`` says.

        What has no effect is not in it: of a path, genes of slots that are off, and the merge
        where the path does not run through it.

        Raises:
            RecipeError: the number of parents is not that of the space.
        """
        if len(parents) != self.num_parents:
            raise RecipeError(
                f"recipe: got {len(parents)} parents, the search space has {self.num_parents}. "
                "Give the parents that the space was made for."
            )
        path = self.path(genome)
        pool: tuple[Ancestor, ...] = parents
        if self.specs:
            method, rules = self.decode(genome)
            merged = Recipe.of_models(
                method,
                parents,
                rules,
                base,
                dtype=merge.dtype,
                tokenizer=merge.tokenizer,
                seed=merge.seed,
                modules=merge.modules,
            )
            merged = canonical(merged, self._spec_of)
            if not path:
                return merged
            is_alone = self.params.layers is not None and self.params.layers.pool == "merge"
            pool = (*(() if is_alone else parents), NestedRecipe(MERGE, merged))
        size = self.layers.size if self.layers else ModelSize(())
        recipe = path_recipe(path, pool, base, merge, module=self._module, size=size)
        return canonical(recipe, self._spec_of)

    def _values(self, genome: Sequence[float]) -> dict[Gene, float]:
        searched = dict(zip(self.genes, self.round(genome), strict=True))
        return {gene: searched.get(gene, gene.low) for gene in self._all}

    def _value(self, values: Mapping[Gene, float], parameter: Parameter, block: int) -> Value:
        decoded = [
            gene.value_of(value)
            for gene, value in values.items()
            if gene.parameter == parameter.name and gene.block == block
        ]
        if parameter.name == NORMALIZE:
            return float(self.params.normalize)
        if not decoded:  # not searched: spans_of made sure that it has a default
            default = float(parameter.default or 0.0)
            return (default,) * self.num_parents if parameter.level == "parent" else default
        numbers = tuple(value for value in decoded if not isinstance(value, str))
        return numbers if parameter.level == "parent" and numbers else decoded[0]

    def _nearest_method(self, method: str, given: set[str]) -> MethodSpec:
        if method in self.methods:
            return self.specs[self.methods.index(method)]
        shared = [len(given & {p.name for p in spec.parameters}) for spec in self.specs]
        return self.specs[shared.index(max(shared))]

    def _check_length(self, genome: Sequence[float]) -> None:
        if len(genome) != len(self.genes):
            raise RecipeError(
                f"genome: holds {len(genome)} genes. The space has {len(self.genes)}: "
                f"{', '.join(gene.name for gene in self.genes)}."
            )
        for gene, value in zip(self.genes, genome, strict=True):
            if not abs(float(value)) < float("inf"):
                raise RecipeError(
                    f"genome: gene {gene.name} is {value}. It must be a number in "
                    f"[{gene.low}, {gene.high}]."
                )
