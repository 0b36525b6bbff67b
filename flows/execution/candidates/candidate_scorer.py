"""Merge a recipe straight into a resident model and score it.

The mapped parents, one model, the task objects and the tokenised requests are kept between
candidates. With another ``evaluate.backend`` each child is written to a folder, which that backend
loads.
"""

import torch

from flows.execution.candidates.candidate_faults import Step, is_candidates, plain_reason
from flows.execution.candidates.candidate_folder import FolderSink, Sink
from flows.execution.candidates.followed_sink import FollowedSink
from flows.execution.candidates.gpu_slots import own_device
from flows.execution.candidates.item_answers import answers_of
from flows.execution.candidates.parent_models import ParentModels
from flows.execution.executor import CandidateJob, Job, ReferenceJob, WorkerSettings
from stages.download.manifest import Parents
from stages.evaluate import reference_model
from stages.evaluate.backends.lm_eval_model import NativeLM
from stages.evaluate.evaluator import Evaluator
from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import SPLITS
from stages.lineage.outcome import Outcome
from stages.merge import plugins
from stages.params.evaluate_params import EvaluateParams


class CandidateScorer:
    """One backend and everything that scoring a recipe with it needs."""

    def __init__(self, settings: WorkerSettings) -> None:
        plugins.load(settings.merge.plugins)
        self._params = settings.evaluate
        self._suite = Suite.load(settings.evaluate)
        if settings.tasks is not None:
            self._suite.check_same(settings.tasks)
        self._models = ParentModels(Parents.read(settings.parents))
        self._evaluator: Evaluator
        self._sink: Sink
        device, self._gpu_slot = own_device(settings.evaluate.device, torch.cuda.device_count())
        own = settings.evaluate.model_copy(update={"device": device})
        if own.backend is not None:
            backend = NativeLM(
                own.backend, "evaluate.backend", device=own.device, batch_size=own.batch_size
            )
            shard_bytes = int(settings.merge.shard_gb * 1e9)
            self._evaluator = Evaluator(backend, own, self._suite)
            self._sink = FolderSink(backend, shard_bytes=shard_bytes)
        else:
            self._keep_resident(settings, own)

    def outcome(self, job: Job) -> Outcome:
        """Return the outcome of ``job``; a fault of the candidate is an outcome, too.

        Raises:
            ServiceError: a judge or a reference's server did not answer; it may be tried again.
            GermlineError: the run cannot go on under these params or on this machine.
        """
        if isinstance(job, ReferenceJob):
            scores = reference_model.evaluate(job.name, self._params, self._suite, job.split)
            return Outcome(None, scores)
        return self._candidate(job)

    def _candidate(self, job: CandidateJob) -> Outcome:
        step: Step = "merge"
        weights_hash = None
        try:
            weights_hash = self._sink.load(self._models.plan(job.recipe))
            step = "prepare"
            ready = self._evaluator.prepare(job.split, job.items)
            step = "score"
            evaluation = self._evaluator.evaluate(job.split, job.items)
            answers = tuple(answers_of(ready)) if job.answers else None
        except Exception as error:
            if not is_candidates(error, step):
                raise
            return Outcome(weights_hash, None, plain_reason(error))
        return Outcome(weights_hash, evaluation, answers=answers)

    def _keep_resident(self, settings: WorkerSettings, own: EvaluateParams) -> None:
        frame = self._models.frame(settings.merge)
        resident = ResidentEvaluator(frame, own, self._suite)
        for split in SPLITS:
            resident.prepare(split)  # here, so that no evaluation's time-out pays for it
        self._evaluator = resident
        self._sink = FollowedSink(resident)
