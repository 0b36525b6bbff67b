"""Settings of ``select`` that the strategy of a search would not read: said, not passed over."""

from stages.errors import Faults, ParamsError
from stages.params.select_params import SelectParams
from stages.select.strategies.nevergrad_catalogue import UNIFORM

_WITH_ARCHIVE = ("map_elites", "cycle_qd")
_WITHOUT_SIGMA = ("random", "RandomSearch", "Sobol", *UNIFORM)


def check_settings(params: SelectParams) -> None:
    """Check that what is given is read.

    Raises:
        ParamsError: the strategy reads something else; every setting is listed.
    """
    faults, given = Faults(), params.model_fields_set
    name = params.optimizer
    names = params.islands.optimizers if name == "islands" else [name]
    with faults.at("params.yaml: select"):
        if params.islands.model_fields_set and name != "islands":
            faults.add(
                f"islands is given and optimizer is {name}: there is one search. Leave islands "
                "out, or set optimizer to islands."
            )
        if params.archive.model_fields_set and not {*names}.intersection(_WITH_ARCHIVE):
            faults.add(
                f"archive is given and {' and '.join(dict.fromkeys(names))} keeps none. Leave "
                f"archive out, or choose {' or '.join(_WITH_ARCHIVE)}."
            )
        if "sigma" in given and {*names} <= {*_WITHOUT_SIGMA}:
            draw = "draws" if len({*names}) == 1 else "draw"
            faults.add(
                f"sigma is given and {' and '.join(dict.fromkeys(names))} {draw} uniformly. Leave "
                "sigma out."
            )
        for section, switch in ((params.racing, "rungs"), (params.scan, "budget")):
            idle = sorted(section.model_fields_set)
            if idle and switch not in idle:
                what = "racing" if switch == "rungs" else "scan"
                faults.add(
                    f"{what} has {', '.join(idle)} and no {switch}, without which there is none. "
                    f"Give {switch}, or leave {what} out."
                )
    faults.raise_as(ParamsError)
