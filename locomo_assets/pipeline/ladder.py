"""Measuring a ladder: each step's configuration under one release, on the same questions.

What steps share is paid for once, because ingestions, answers and verdicts are addressed by what
they depend on. Reading the file belongs to `settings.variants`, the result to `analysis`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from locomo_assets import __version__
from locomo_assets.backboard.answers import AskProtocol
from locomo_assets.errors import LocomoError
from locomo_assets.history.provenance import Lineage
from locomo_assets.history.store import HistoryStore
from locomo_assets.judging.judge import JudgeIdentity, with_votes
from locomo_assets.prices import LEXICAL
from locomo_assets.runs.context import Task
from locomo_assets.runs.runner import STAGES, Failed, measure, summarize_failures, wait_for_leases
from locomo_assets.runs.stages import SERIES, JudgementsReport, StageReport
from locomo_assets.services import Services
from locomo_assets.settings.variants import OF_JUDGE, Ladder, LadderFileError, Variant

ASSET = "ladder"
_TABLE = "ladder_steps"

Series = Mapping[str, str]
"""What tells a step's numbers apart: the names of `SERIES` → values."""


class LadderStepError(LocomoError):
    """A step failed; those before it are measured and kept."""

    def __init__(self, ladder: Ladder, step: Variant, failures: Sequence[Failed], of: int) -> None:
        self.failures = failures
        super().__init__(
            f"ladder {ladder.name}, step {step.name}: {len(failures)} of {of} conversations did "
            f"not get through: {summarize_failures(failures)}; what is measured is kept, and the "
            "same command goes on"
        )


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step that is measured, and the reports of its stages."""

    step: Variant
    series: Series
    reports: Sequence[tuple[Task, StageReport]]


def services_of(services: Services, step: Variant) -> Services:
    """The services that a step's configuration means."""
    return replace(services, settings=step.settings, is_variant=True)


def check_ladder(ladder: Ladder, services: Services) -> list[str]:
    """Refuses steps whose numbers the history could not tell apart; notes on what has no effect.

    Raises LadderFileError, or what a step's prompt, URL or key is refused with.
    """
    seen: dict[tuple[str, str], Variant] = {}
    notes = []
    for step in ladder.steps:
        asked, judge = _identity(ladder, services, step)
        key = (asked.label(), judge.name)
        other = seen.setdefault(key, step)
        if other is step:
            continue
        is_asked_alike = asked == services_of(services, other).ask_protocol()
        if judge.system == LEXICAL and is_asked_alike and _names_another_judge(step, other):
            notes.append(
                f"{step.name}: measured as {other.name} is, because the lexical judge judges; "
                "OPENAI_API_KEY gives the judge that the step names"
            )
            continue
        raise LadderFileError(
            f"ladder {ladder.name}, step {step.name}: the history could not tell its numbers from "
            f"those of {other.name} ({', '.join(key)}); leave one of them out"
        )
    return notes


def _identity(
    ladder: Ladder, services: Services, step: Variant
) -> tuple[AskProtocol, JudgeIdentity]:
    own = services_of(services, step)
    try:
        return own.ask_protocol(), with_votes(own.planned_judge(), step.settings.judge_votes)
    except LocomoError as error:
        raise LadderFileError(f"ladder {ladder.name}, step {step.name}: {error}") from None


def _names_another_judge(step: Variant, other: Variant) -> bool:
    return any(getattr(step.settings, one) != getattr(other.settings, one) for one in OF_JUDGE)


async def connect_all(
    ladder: Ladder, tasks: Sequence[Task], services: Services, run_id: str
) -> None:
    """Asks every step's servers whether they have its models, before the first step is paid for."""
    for step in ladder.steps:
        async with services_of(services, step).run_context(run_id, tasks):
            pass


async def measure_steps(
    ladder: Ladder,
    tasks: Sequence[Task],
    services: Services,
    run_id: str,
    on_step: Callable[[StepDone], None],
    *,
    after: set[str] | None = None,
) -> None:
    """Measures the steps in their order, and reports each as it ends.

    `after`: earlier runs that may have crashed, whose leases are waited for. Raises
    LadderStepError at the first step that does not get through.
    """
    for step in ladder.steps:
        done, failures = await _measure(step, tasks, services, run_id, after)
        if failures or done is None:
            raise LadderStepError(ladder, step, failures, len(tasks))
        on_step(done)


async def _measure(
    step: Variant, tasks: Sequence[Task], services: Services, run_id: str, after: set[str] | None
) -> tuple[StepDone | None, list[Failed]]:
    reports: list[tuple[Task, StageReport]] = []
    async with services_of(services, step).run_context(run_id, tasks) as run:
        if after:
            await wait_for_leases(run, tasks, after)
        failures = await measure(
            run, tasks, list(STAGES), lambda task, report: reports.append((task, report))
        )
    judged = [report for _, report in reports if isinstance(report, JudgementsReport)]
    if not judged:
        return None, failures
    series = {name: str(getattr(judged[-1], name)) for name in SERIES}
    return StepDone(step, series, reports), failures


def keep_steps(
    store: HistoryStore, ladder: Ladder, release: str, run_id: str, done: Sequence[StepDone]
) -> None:
    """Commits which steps were measured and under which names, unless that was said last."""
    said = {
        "ladder": ladder.name,
        "digest": ladder.digest(),
        "steps": [[one.step.name, *one.series.values()] for one in done],
    }
    if not done or _newest(store, ladder, release) == said:
        return
    attempt = store.begin(
        Lineage(
            asset=ASSET,
            run_id=run_id,
            release=release,
            conversation=None,
            code_version=__version__,
            dataset_sha256=done[0].series["dataset_sha256"],
            system=done[0].series["system"],
            extra=said,
        )
    )
    now = datetime.now(UTC)
    attempt.append(
        _TABLE,
        [
            {
                "ladder": ladder.name,
                "file_sha256": ladder.sha256,
                "step_index": index,
                "step": one.step.name,
                "parent_step": one.step.parent,
                "changed": one.step.changed,
                "configuration_json": json.dumps(one.step.configuration(), sort_keys=True),
                "question_protocol": one.series["question_protocol"],
                "judge": one.series["judge"],
                "noted_at": now,
            }
            for index, one in enumerate(done)
        ],
    )
    attempt.commit()


def is_noted(store: HistoryStore, ladder: Ladder, release: str) -> bool:
    """Whether the history has every step of the ladder as it is now."""
    newest = _newest(store, ladder, release) or {}
    steps = newest.get("steps")
    return (
        newest.get("digest") == ladder.digest()
        and isinstance(steps, list)
        and len(steps) == len(ladder.steps)
    )


def _newest(store: HistoryStore, ladder: Ladder, release: str) -> dict[str, object] | None:
    """What the newest attempt of this ladder said."""
    for manifest in reversed(store.manifests(asset=ASSET, release=release)):
        if manifest.extra.get("ladder") == ladder.name:
            return {name: manifest.extra.get(name) for name in ("ladder", "digest", "steps")}
    return None
