"""Snakemake's way into Slurm: its own plugin, with another idea of when a job has ended.

The plugin decides anew at every look between squeue and sacct, and takes a controller that is away for a
cluster with accounting: on one without, it waits for ever. Here squeue is asked for all jobs at once, then
scontrol and then sacct for one that it does not list any more, and silence means nothing but to ask again.
Submission stays the plugin's, and so does what runs inside a job.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import snakemake_executor_plugin_slurm as plugin

from pipelines.compute.cluster import Cluster
from pipelines.compute.journal import Journal
from slurm import controller
from slurm.controller import LOST, Job, NoAnswerError
from slurm.endings import ending, said_since

common_settings = plugin.common_settings

_SOON, _LATE = 1.0, 8.0  # seconds between two looks at young and old jobs
_LOOKS_BEFORE_LOST = 3
_REFUSED = "sbatch: error: "
_AWAY = ("Unable to contact slurm controller", "Socket timed out", "Connection refused", "temporarily unable")


class ExecutorSettings(plugin.ExecutorSettings):
    """As the plugin's."""


class Executor(plugin.Executor):
    """The plugin, with what is said above."""

    def __post_init__(self, test_mode: bool = False) -> None:
        self.site = Cluster.load(Path(self.workflow.workdir_init))
        journal = os.environ.get("UTTAG_JOURNAL")
        self._journal = Path(journal) if journal else None
        self._away_since: float | None = None
        self._asks = 0
        self._missed: dict[str, int] = {}
        self._held: dict[str, float] = {}
        self._told_waiting: set[str] = set()
        self._prologue = Path(self.workflow.workdir_init) / "runs" / "prologue.sh"
        self._prologue.parent.mkdir(mode=0o700, exist_ok=True)
        self._prologue.write_text("\n".join(self.site.prologue()) + "\n", encoding="utf-8")
        super().__post_init__(test_mode)

    # ---- what sbatch is told -------------------------------------------------------------------------------

    def get_account_arg(self, job: Any) -> Any:
        """The site's options for every job, in the account's place."""
        yield " " + " ".join(self.site.options)

    def get_partition_arg(self, job: Any) -> str:
        return ""

    def get_job_exec_prefix(self, job: Any) -> str:
        """Modules and scratch first."""
        return f". {shlex.quote(str(self._prologue))}"

    def format_job_exec(self, job: Any) -> str:
        """Stages that share a job share its processors, without a step of Slurm for each."""
        call: str = super().format_job_exec(job)
        step = "--executor slurm-jobstep --jobs 1"
        return call.replace(step, f"--executor local --cores {job.threads}") if job.is_group() else call

    # ---- submission ----------------------------------------------------------------------------------------

    def run_job(self, job: Any) -> None:
        """Submit. Whatever goes wrong is told: a thread that died in silence would be waited for for ever."""
        try:
            super().run_job(job)
        except Exception as fault:  # noqa: BLE001 - the plugin runs this in a thread that nobody looks into
            cause = fault.__context__ or fault  # of a group, the plugin stumbles over its own report
            info = plugin.SubmittedJobInfo(job)
            self._report_job_error_threadsafe(info, f"{type(cause).__name__}: {cause}")

    def _report_job_submission_threadsafe(self, job_info: Any) -> None:
        size = self._journal.stat().st_size if self._journal and self._journal.exists() else 0
        job_info.aux |= {"journal": size, "since": time.time()}
        super()._report_job_submission_threadsafe(job_info)

    def _report_job_error_threadsafe(self, job_info: Any, msg: str) -> None:
        """A submission that failed: wait and try again if the controller is away, else say why."""
        job = job_info.job
        if any(sign in msg for sign in _AWAY) and self._waited_for_controller(job):
            self.run_job(job)
            return
        line = next((line for line in msg.splitlines() if _REFUSED in line), msg.splitlines()[0])
        reason = line.partition(_REFUSED)[2].rstrip("'. ") or "it could not be submitted, see the run's log"
        self.logger.error(msg)
        stage = " and ".join(sorted(_stages(job)))
        text = f"{stage}: Slurm did not take its job: {reason}; mend cluster.yaml, or see uttag doctor"
        Journal(self._journal, stage).failed(text, 19)
        _for_good(job)
        super()._report_job_error_threadsafe(job_info, msg)

    def _waited_for_controller(self, job: Any) -> bool:
        """Until the controller answers; False when that took too long. What it took of this job all the same
        is cancelled, so that no stage runs twice at once."""
        self._tell_away()
        deadline = time.monotonic() + 60 * self.site.controller_minutes
        pause = 2.0
        while time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(2 * pause, 30)
            try:
                known = {info.external_jobid for info in self.active_jobs}
                strays = [each for each in self._numbers_of(job) if each not in known]
            except NoAnswerError:
                continue
            if strays:
                subprocess.run(["scancel", *strays], capture_output=True, timeout=60, check=False)
            self._tell_back()
            return True
        return False

    def _numbers_of(self, job: Any) -> list[str]:
        """Jobs of this run whose comment is that of `job`, as submission writes it."""
        wildcards = plugin.get_job_wildcards(job)
        comment = f"rule_{job.name}" + (f"_wildcards_{wildcards}" if wildcards else "")
        return [number for number, each in controller.listed_comments(self.run_uuid) if each == comment]

    # ---- how they go ---------------------------------------------------------------------------------------

    async def check_active_jobs(self, active_jobs: list[Any]) -> AsyncGenerator[Any, None]:
        """Ask once for all; yield those that go on."""
        self.next_seconds_between_status_checks = _SOON
        if not active_jobs:
            return
        try:
            async with self.status_rate_limiter:
                jobs = self._states(active_jobs)
        except NoAnswerError:
            for info in self._still_waited_for(active_jobs):
                yield info
            return
        self._tell_back()
        youngest = min(time.time() - info.aux["since"] for info in active_jobs)
        self.next_seconds_between_status_checks = min(_LATE, max(_SOON, youngest / 20))
        for info in active_jobs:
            if not self._done(info, jobs.get(info.external_jobid)):
                yield info

    def _states(self, active_jobs: list[Any]) -> dict[str, Job]:
        """Of each job; details of those that did not end well or are not listed. Raises `NoAnswerError`."""
        jobs = controller.listed(self.run_uuid)
        for number in (info.external_jobid for info in active_jobs):
            job = jobs.get(number)
            if job is None or (job.ended and job.state != "COMPLETED"):
                jobs[number] = controller.details(number)
        return jobs

    def _done(self, info: Any, job: Job | None) -> bool:
        number = info.external_jobid
        if job is None or not job.ended:
            self._tell_waiting(info, job)
            return False
        if job.state == LOST:
            self._missed[number] = self._missed.get(number, 0) + 1
            if self._missed[number] < _LOOKS_BEFORE_LOST:
                return False
        if job.state == "COMPLETED" or (job.state == LOST and _left_receipts(info)):
            self.report_job_success(info)
            info.aux["slurm_logfile"].unlink(missing_ok=True)
            return True
        return self._failed(info, job)

    def _failed(self, info: Any, job: Job) -> bool:
        """Report a failure, after a pause if it is tried again."""
        number, attempt = info.external_jobid, info.job.attempt
        if number in self._held:
            if time.monotonic() < self._held[number]:
                return False
            self.report_job_error(info, msg=f"Slurm job {number}: {job.state}. ")
            return True
        log = info.aux["slurm_logfile"]
        said = said_since(self._journal, info.aux["journal"])
        end = ending(number, job, _stages(info.job), said, log)
        again = end.again and info.job.restart_times > attempt - 1
        if again:
            Journal(self._journal, end.stage, end.what).say(f"{end.words}; trying again")
            self._held[number] = time.monotonic() + min(60, 5 * 2 ** (attempt - 1))
            return False
        if not end.told:
            Journal(self._journal, end.stage, end.what).failed(end.words, 19)
        _for_good(info.job)
        self.report_job_error(info, msg=f"Slurm job {number}: {job.state}. ", aux_logs=[str(log)])
        return True

    # ---- a controller that is away -------------------------------------------------------------------------

    def _still_waited_for(self, active_jobs: list[Any]) -> list[Any]:
        """All jobs, until the controller has been away for too long; then none, and each has failed."""
        self._tell_away()
        self._asks += 1
        self.next_seconds_between_status_checks = min(30, 2**self._asks)
        if time.monotonic() - (self._away_since or 0) < 60 * self.site.controller_minutes:
            return active_jobs
        for info in active_jobs:
            _for_good(info.job)
            self.report_job_error(info, msg="The controller did not answer. ")
        minutes = self.site.controller_minutes
        text = (
            f"slurm: the controller did not answer for {minutes} min; run the same command again when it does"
        )
        Journal(self._journal, "slurm").failed(text, 19)
        return []

    def _tell_away(self) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            limit = self.site.controller_minutes
            Journal(self._journal, "slurm").say(
                f"the controller does not answer; waiting up to {limit} min for it"
            )

    def _tell_back(self) -> None:
        if self._away_since is not None:
            away = time.monotonic() - self._away_since
            self._away_since, self._asks = None, 0
            Journal(self._journal, "slurm").say(f"the controller answers again, after {away:.0f} s")

    def _tell_waiting(self, info: Any, job: Job | None) -> None:
        """Once for each job: why it has been waiting for a minute, where that is not the queue alone."""
        number = info.external_jobid
        ordinary = ("", "Priority", "Resources", "BeginTime")
        if job is None or job.state != "PENDING" or job.reason in ordinary or number in self._told_waiting:
            return
        if time.time() - info.aux["since"] > 60:
            self._told_waiting.add(number)
            stage = " and ".join(sorted(_stages(info.job)))
            Journal(self._journal, stage).say(f"its Slurm job {number} waits: {job.reason}")


def _stages(job: Any) -> set[str]:
    return set(job.rules) if job.is_group() else {job.rule.name}


def _for_good(job: Any) -> None:
    """No further attempt: this would fail the same way."""
    job.attempt = max(job.attempt, job.restart_times + 1)


def _left_receipts(info: Any) -> bool:
    """Has the job written its receipts, which stages do last?"""
    paths = [Path(str(path)) for path in info.job.output]
    return bool(paths) and all(
        path.exists() and path.stat().st_mtime >= info.aux["since"] - 1 for path in paths
    )
