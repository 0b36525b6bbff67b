"""Machines of then and now, thing by thing."""

from flows.audit.audit_report import data_of, lines_of
from flows.audit.machine_differences import machine_differences
from flows.audit.run_audit import Audit

HERE = {
    "instructions": ["avx", "avx2"],
    "level": "AVX2",
    "processor": "x86_64",
    "switches": {},
    "torch": "2.13.0+cpu",
}


def test_one_kind_of_machine_has_no_differences() -> None:
    """Nothing is said of it."""
    assert machine_differences([HERE, dict(HERE)], HERE) == ()
    assert machine_differences([], HERE) == ()


def test_each_difference_is_named_once() -> None:
    """Level, instructions, switches, build and GPU: what was then and what is now."""
    then = {**HERE, "level": "AVX512", "instructions": ["avx", "avx512_f"], "gpu": "H200"}
    then |= {"switches": {"MKL_CBWR": "AVX2"}, "torch": "2.13.0+cu130"}
    lines = (
        "machine, gpu: H200 then, unknown now",
        "machine, instructions: avx512_f only then; avx2 only now",
        "machine, level: AVX512 then, AVX2 now",
        "machine, switches: MKL_CBWR=AVX2 then, none now",
        "machine, torch: 2.13.0+cu130 then, 2.13.0+cpu now",
    )
    assert lines == machine_differences([then, then], HERE)
    same = {"libraries": {}, "machines": ["x86_64"]}
    audit = Audit((), same, same, lines)
    assert [f"  {line}" for line in lines] == list(lines_of(audit))[2:7]
    assert list(lines) == data_of(audit)["machine"]
