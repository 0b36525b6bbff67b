"""What a scheduled run that fails says, on Prefect's page and in the terminal of `make serve`."""

from flows.prefect_runtime.schedule import reason


def test_a_failed_run_says_what_a_stage_named_as_its_fault() -> None:
    """DVC's own last line says only which stage it was; without a fault it is all there is."""
    last = "ERROR: failed to reproduce 'download': failed to run: python, exited with 1"
    after = "Once that is fixed the next run goes on from what is done."
    faults = ["download.base: no such folder.", "download.parents.a: no such folder."]
    assert f"{faults[0]} {faults[1]} {after}" == reason(255, faults, last)
    assert f"exit code 255. Its last line: {last}. {after}" == reason(255, [], last)
