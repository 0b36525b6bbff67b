"""One model on some tasks, by ``germline evaluate`` and by lm_eval's command line."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from flows.cli.main import main

COMMAND = Path(__file__).with_name("lm_eval_command.py")
CLOSE = 1e-4  # of log-likelihoods in float32, as docs/tasks.md says
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


@dataclass(frozen=True)
class Settings:
    """What both sides are given besides the model and the tasks."""

    ours: tuple[str, ...] = ()
    lm_evals: tuple[str, ...] = ()
    batch_size: int = 5
    model_args: tuple[str, ...] = ()


@dataclass
class Differences:
    """How many items were compared, and what differs, in words."""

    num_items: int = 0
    lines: list[str] = field(default_factory=list)

    def check(self, where: str, ours: Any, lm_evals: Any, *, within: float = 0.0) -> None:
        """Note it where the two are not equal, or numbers not within a bound."""
        if not _equal(ours, lm_evals, within):
            self.lines.append(f"{where}: germline {ours!r}, lm_eval {lm_evals!r}")


PLAIN = Settings()
CHAT = Settings(
    ours=(
        *("--set", "apply_chat_template=true", "--set", "system_instruction=Be brief."),
        *("--set", "num_fewshot=1"),
    ),
    lm_evals=("--apply_chat_template", "--system_instruction", "Be brief.", "--num_fewshot", "1"),
)


def compare(model: Path, tasks: Sequence[str], settings: Settings, out: Path) -> Differences:
    """Score a model on tasks of the working folder on both sides; return what differs."""
    ours, scores = germline_side(model, tasks, settings, out / "ours.jsonl")
    differences = Differences()
    logged, totals = lm_eval_side(model, tasks, settings, out / "theirs")
    for task in tasks:
        samples = [sample for sample in ours if sample["task"] == task]
        if not samples:
            differences.lines.append(f"{task}: germline scored no item")
            continue
        rows = {
            row["doc_id"]: row
            for row in logged[task]
            if row["filter"] == samples[0].get("filter", row["filter"])
        }
        if rows.keys() != {sample["doc_id"] for sample in samples}:
            differences.lines.append(f"{task}: other documents")
            continue
        for sample in samples:
            differences.num_items += 1
            _compare_item(differences, sample, rows[sample["doc_id"]])
        metric = samples[0]["metric"]
        filter_name = next(iter(rows.values()))["filter"]
        total = totals[task][f"{metric},{filter_name}"]
        differences.check(f"{task}, {metric}", scores[task], total, within=1e-4)
    return differences


def germline_side(
    model: Path, tasks: Sequence[str], settings: Settings, out: Path
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return the samples and the tasks' scores that ``germline evaluate`` gives."""
    words = ["evaluate", str(model), "--tasks", ",".join(tasks), "--include-path", "tasks"]
    words += ["--batch-size", str(settings.batch_size), "--samples", str(out), "--json"]
    words += ["--set", "threads=1"]  # threads that wait cost small models more
    for one in settings.model_args:
        words += ["--set", f"model_args.{one.lower()}"]
    result = CliRunner().invoke(main, [*words, "--device", "cpu", *settings.ours])
    if result.exit_code:
        raise AssertionError(result.stderr)
    samples = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    (model_scores,) = json.loads(result.stdout)["models"]
    return samples, {one["task"]: one["score"] for one in model_scores["tasks"]}


def lm_eval_side(
    model: Path, tasks: Sequence[str], settings: Settings, out: Path
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, dict[str, Any]]]:
    """Return the logged samples and the results of lm_eval's command line, its batches of one."""
    command = [
        *(sys.executable, str(COMMAND), "run", "--model", "hf", "--device", "cpu"),
        *("--model_args", ",".join([f"pretrained={model},dtype=float32", *settings.model_args])),
        *("--include_path", "tasks"),
        *("--batch_size", "1", "--log_samples", "--output_path", str(out)),
        *settings.lm_evals,
        *("--tasks", *tasks),
    ]
    result = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | OFFLINE, check=False
    )
    if result.returncode:
        raise AssertionError(result.stderr[-3000:])
    (results,) = out.rglob("results_*.json")
    totals = json.loads(results.read_text(encoding="utf-8"))["results"]
    logged = {}
    for task in tasks:
        (path,) = out.rglob(f"samples_{task}_2*.jsonl")
        lines = path.read_text(encoding="utf-8").splitlines()
        logged[task] = [json.loads(line) for line in lines]
    return logged, totals


def _compare_item(differences: Differences, sample: dict[str, Any], row: dict[str, Any]) -> None:
    where = f"{sample['task']}, document {sample['doc_id']}"
    arguments = [list(one.values()) for one in row["arguments"].values()]
    prompts = sample["prompt"]
    prompts = [prompts] * len(arguments) if isinstance(prompts, str) else prompts
    if "text" in sample:
        differences.check(f"{where}, prompt", prompts, [one[0] for one in arguments])
        texts = sample["text"] if isinstance(sample["text"], list) else [sample["text"]]
        differences.check(f"{where}, text", texts, [t for one in row["resps"] for t in one])
        filtered = row["filtered_resps"]
        filtered = filtered[0] if len(filtered) == 1 else filtered
        differences.check(f"{where}, filtered", sample["filtered"], filtered)
    elif "is_greedy" in sample:
        differences.check(f"{where}, prompt", prompts, [one[0] for one in arguments])
        differences.check(f"{where}, targets", sample["targets"], [one[1] for one in arguments])
        answers = [one[0] for one in row["resps"]]
        likelihoods = [float(one[0]) for one in answers]
        differences.check(f"{where}", sample["loglikelihoods"], likelihoods, within=CLOSE)
        greedy = [str(one[1]) == "True" for one in answers]
        differences.check(f"{where}, greedy", sample["is_greedy"], greedy)
    else:
        differences.check(f"{where}, text", sample["targets"], [one[0] for one in arguments])
        likelihoods = [float(one[0]) for one in row["resps"]]
        differences.check(f"{where}", sample["loglikelihoods"], likelihoods, within=1e-2)
    if sample["score"] is not None:
        differences.check(f"{where}, score", sample["score"], row[sample["metric"]], within=CLOSE)


def _equal(ours: Any, lm_evals: Any, within: float) -> bool:
    if isinstance(ours, list) and isinstance(lm_evals, list) and within:
        pairs = zip(ours, lm_evals, strict=False)
        return len(ours) == len(lm_evals) and all(_equal(a, b, within) for a, b in pairs)
    if within and isinstance(ours, int | float) and isinstance(lm_evals, int | float):
        return abs(ours - lm_evals) <= within * max(1.0, abs(lm_evals))
    return bool(ours == lm_evals)
