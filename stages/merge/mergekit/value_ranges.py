"""Whether the values that a document gives are in the ranges of its method's parameters."""

from stages.errors import Faults
from stages.merge.mergekit.method_spellings import Dialect
from stages.merge.mergekit.schema import Config
from stages.recipe.method_spec import MethodSpec


def check_ranges(config: Config, spec: MethodSpec, dialect: Dialect, faults: Faults) -> None:
    """Add a fault, at its line, for each anchor out of range, also where no layer lies at it.

    Density 0 is legal in a file, where it keeps nothing.
    """
    ranges = {parameter.name: parameter for parameter in spec.parameters}
    for name, entries in ((n, e) for values in config.levels for n, e in values.items()):
        term = dialect.terms.get(name)
        parameter = ranges.get(term.ours or "") if term is not None else None
        if term is None or term.is_switch or parameter is None or parameter.choices:
            continue
        legal = parameter.legal.replace("(", "[") if name == "density" else parameter.legal
        for entry in entries:
            for anchor in entry.anchors:
                if not parameter.is_legal(anchor) and (name, anchor) != ("density", 0.0):
                    with faults.at(entry.where):
                        faults.add(f"{name} is {anchor!r}. Legal is {legal}; change it.")
