"""Dagster runs in their order, their failures as one line, partitions of a history, dry runs."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from locomo_assets.analysis.design.sequential import LOOKS
from locomo_assets.backboard.protocols import REFERENCE_PROTOCOLS
from locomo_assets.errors import LocomoError
from locomo_assets.history.store import HistoryStore
from locomo_assets.labels import check_label
from locomo_assets.locomo.model import Dataset
from locomo_assets.pipeline.assets.conversations import PENDING_BATCHES
from locomo_assets.pipeline.assets.locomo_dataset import read_source, refuse_failed
from locomo_assets.pipeline.build import build_defs
from locomo_assets.pipeline.forecasts.forecast import forecast_rounds
from locomo_assets.pipeline.forecasts.rounds import first_round
from locomo_assets.pipeline.interrupt import uninterrupted
from locomo_assets.pipeline.ladder import ASSET as LADDER_ASSET
from locomo_assets.pipeline.launcher import run_here
from locomo_assets.pipeline.partitions import (
    CONVERSATION,
    LADDER,
    RELEASE,
    RELEASE_TAG,
    last_judged_series,
    ranges,
    register_conversations,
    register_ladders,
)
from locomo_assets.pipeline.until_decided import UntilDecided
from locomo_assets.runs import forecast
from locomo_assets.runs.context import Task
from locomo_assets.runs.releases import is_measured, refuse_taken
from locomo_assets.services import Services
from locomo_assets.settings.variants import packaged_ladders


class LaunchError(LocomoError):
    """A run can't be started, or failed."""


class StoppedError(LaunchError):
    """A signal stopped the run."""

    exit_code = 130


class PendingError(LaunchError):
    """Nothing failed: verdicts are still at the judge, and the same launch collects them."""

    exit_code = 75
    prefix = "pending"


class BadRequestError(LaunchError):
    """What was asked for does not exist."""

    exit_code = 2


@dataclass(frozen=True)
class Launch:
    """What to measure; None: all, or the default of the settings."""

    release: str
    dataset: str | None = None
    conversations: Sequence[str] | None = None
    questions: int | None = None
    adversarial: bool = False
    force: bool = False
    repeats: int = 1
    repeat_ingestion: bool = False
    until_decided: bool = False
    against: str | None = None
    gate_against: str | None = None


def prepare_home(home: Path) -> Path:
    """The local Dagster instance's folder, made with its `dagster.yaml`; absolute."""
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    packaged = Path(__file__).with_name("local_dagster.yaml").read_text(encoding="utf-8")
    target = folder / "dagster.yaml"
    if not target.exists() or target.read_text(encoding="utf-8") != packaged:
        target.write_text(packaged, encoding="utf-8")
    return folder


@contextmanager
def local_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, else that of `home`, which the process then goes on with.

    Dagster takes the place from the environment alone.
    """
    chosen = os.environ.setdefault("DAGSTER_HOME", str(prepare_home(home)))
    if not os.path.isdir(chosen):
        raise BadRequestError(
            f"DAGSTER_HOME {chosen}: there is no such folder; make it, or unset the variable for "
            "the instance in LOCOMO_HOME"
        )
    is_ours = chosen == str(home / "dagster")
    # Ours is made by the first run: with half of its tables it would refuse every later one.
    with uninterrupted() if is_ours else nullcontext():
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance


@contextmanager
def _usable_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """As `local_instance`; LaunchError where its database can't be used."""
    try:
        with local_instance(home) as instance:
            yield instance
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or type(error).__name__
        raise LaunchError(
            f"Dagster instance in {home}: {cause}; make room on the disk, make it writable, or "
            "choose another LOCOMO_HOME"
        ) from error


@contextmanager
def _release_partition(
    instance: dg.DagsterInstance, release: str, store: HistoryStore, conversations: Sequence[str]
) -> Iterator[None]:
    """Adds the release to the grid; takes it out again where a new one fails without results."""
    is_new = not instance.has_dynamic_partition(RELEASE, release)
    instance.add_dynamic_partitions(RELEASE, [release])
    try:
        yield
    except BaseException:
        if is_new and not is_measured(store, release, conversations):
            instance.delete_dynamic_partition(RELEASE, release)
        raise


def launch(wanted: Launch, services: Services) -> tuple[str, ...] | None:
    """Measures a release, in this process: the data set, its conversations, what follows from both.

    Repeats are measured one after another, and end with the first that fails. Returns the
    series that was judged, as `Accuracy.series`.

    Raises:
        BadLabelError: a release that can't be called so.
        BadRequestError: a conversation that does not exist.
        ReleaseTakenError: the release's results were imported, or are a sample's.
        DatasetError, AuditError: the file can't be used.
        PendingError: the judge's batches are not over yet.
        LaunchError: a run failed (its text is the failure's own line), or the Dagster instance
            can't be used.
    """
    dataset, tasks = check_launch(wanted, services)
    services = replace(services, dataset=dataset)
    stopping = _until_decided(wanted, dataset, tasks, services)
    _check_gate(wanted, dataset, tasks, services)
    job = build_defs(services=services).resolve_implicit_global_asset_job_def()
    names = [task.conversation for task in tasks]
    with (
        _usable_instance(services.settings.home) as instance,
        _release_partition(instance, wanted.release, services.store(), names),
    ):
        source = {"source": wanted.dataset}
        _run(job, instance, wanted.release, ["locomo_dataset"], source, op="locomo_dataset")
        failures: list[LaunchError] = []
        if stopping is not None:
            failures = _measure_until_decided(job, instance, wanted, stopping)
        else:
            first = first_round(services, dataset, tasks, wanted.repeats)
            for repeat in range(first, wanted.repeats + 1):
                failures = _measure(job, instance, wanted, {"repeat": repeat})
                if failures:
                    break
        series = last_judged_series(instance, wanted.release)
        results = ["results_history", "accuracy_metrics", "accuracy_trends"]
        try:
            if failures:
                _run(job, instance, wanted.release, results[:1])
            else:
                _run(job, instance, wanted.release, results, partition_key=wanted.release)
        except LaunchError as error:
            if isinstance(error, StoppedError) or not failures:
                raise
            failures.append(error)
        if failures:
            is_pending = all(isinstance(error, PendingError) for error in failures)
            raise (PendingError if is_pending else LaunchError)("; ".join(map(str, failures)))
        return series


def launch_ladder(ladder: str, name: str, wanted: Launch, services: Services) -> None:
    """Measures a ladder (its file or name) under a release, in this process, as one run.

    `name` is the ladder's own. Raises what `launch` does; a step that fails is named.
    """
    dataset, tasks = check_launch(wanted, services)
    services = replace(services, dataset=dataset)
    job = build_defs(services=services).resolve_implicit_global_asset_job_def()
    names = [task.conversation for task in tasks]
    with (
        _usable_instance(services.settings.home) as instance,
        _release_partition(instance, wanted.release, services.store(), names),
    ):
        source = {"source": wanted.dataset}
        _run(job, instance, wanted.release, ["locomo_dataset"], source, op="locomo_dataset")
        register_ladders(instance, [name])
        _run(
            job,
            instance,
            wanted.release,
            [LADDER_ASSET],
            {"file": ladder, "conversations": names, "questions": wanted.questions},
            op=LADDER_ASSET,
            partition_key=dg.MultiPartitionKey({LADDER: name, RELEASE: wanted.release}),
        )


def _measure(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    wanted: Launch,
    more: Mapping[str, object],
) -> list[LaunchError]:
    """The conversations' stages once, in as few runs as may be; what failed of them."""
    config = {
        "questions": wanted.questions,
        "adversarial": wanted.adversarial,
        "force": wanted.force,
        "repeat_ingestion": wanted.repeat_ingestion,
        **more,
    }
    failures: list[LaunchError] = []
    names = wanted.conversations or instance.get_dynamic_partitions(CONVERSATION)
    for first, last in ranges(instance, names):
        tags = {
            "dagster/asset_partition_range_start": f"{first}|{wanted.release}",
            "dagster/asset_partition_range_end": f"{last}|{wanted.release}",
        }
        try:
            op = "measured_conversation"
            _run(job, instance, wanted.release, _MEASURED, config, op=op, tags=tags)
        except StoppedError:
            raise
        except LaunchError as error:
            failures.append(error)
    return failures


def _measure_until_decided(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    wanted: Launch,
    stopping: UntilDecided,
) -> list[LaunchError]:
    """Looks one after another, until one decides or all is asked; what failed of the last."""
    for number in range(1, len(LOOKS) + 1):
        failures = _measure(job, instance, wanted, stopping.config(number))
        series = last_judged_series(instance, wanted.release)
        if failures or series is None:
            return failures
        found = stopping.look(number, series)
        if found.ends:
            stopping.keep(found, series)
            break
    return []


def _run(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    release: str,
    assets: Sequence[str],
    config: Mapping[str, object] | None = None,
    *,
    op: str | None = None,
    tags: dict[str, str] | None = None,
    partition_key: str | None = None,
) -> None:
    given = {name: value for name, value in (config or {}).items() if value is not None}
    quiet = {"console": {"config": {"log_level": "CRITICAL"}}}
    run_id = str(uuid4())
    with run_here(instance, run_id):
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(name) for name in assets],
            run_config={"loggers": quiet, "ops": {op: {"config": given}} if op else {}},
            tags={RELEASE_TAG: release, **(tags or {})},
            run_id=run_id,
            partition_key=partition_key,
            raise_on_error=False,
        )
    if result.success:
        return
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.error and data.error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
                raise StoppedError(
                    f"Dagster run {result.run_id} was stopped; what it did is saved, and the same "
                    "command with the same --release goes on"
                )
            failure = data.user_failure_data
            cause = data.error.cause if data.error and data.error.cause else data.error
            line = (failure and failure.description) or (cause and cause.message.strip())
            if failure and PENDING_BATCHES in failure.metadata:
                raise PendingError(f"{line}")
            raise LaunchError(f"{line}" if failure else f"{line} (Dagster run {result.run_id})")
    raise LaunchError(f"Dagster run {result.run_id} failed; `make dev` shows its events")


_MEASURED = ("ingested_memories", "answers", "judgements")
IMPORTED_ASSET = "imported_results"


def register_history(store: HistoryStore, home: Path) -> tuple[list[str], list[str]]:
    """Registers what was measured in the instance of DAGSTER_HOME, else in that of `home`.

    Conversations become those of the data set stored last; releases are added in the order in
    which they were measured. Returns both.
    """
    manifests = store.manifests()
    datasets = [m.lineage for m in manifests if m.lineage.asset == "locomo_dataset"]
    newest = {lineage.conversation: lineage.dataset_sha256 for lineage in datasets}
    conversations = [
        name for name, sha in newest.items() if name and sha == datasets[-1].dataset_sha256
    ]
    imported = {m.lineage.release for m in manifests if m.lineage.asset == IMPORTED_ASSET}
    measured = [
        m.lineage.release
        for m in manifests
        if m.lineage.asset in _MEASURED and m.lineage.release not in imported
    ]
    releases = [release for release in dict.fromkeys(measured) if release is not None]
    with local_instance(home) as instance:
        register_conversations(instance, conversations)
        register_ladders(instance, packaged_ladders())
        instance.add_dynamic_partitions(RELEASE, releases)
    return conversations, releases


def check_launch(wanted: Launch, services: Services) -> tuple[Dataset, list[Task]]:
    """Refuses what can't be measured before anything is made or asked; `run` and its dry run.

    Returns the data set and the conversations' tasks. See `launch` for what it raises.
    """
    services = replace(services, creates_history=False)
    _check_options(wanted, services)
    check_label(wanted.release)
    refuse_taken(services.store(), wanted.release)
    dataset = read_source(services.settings, wanted.dataset)
    refuse_failed(dataset)
    known = [one.conversation for one in dataset.conversations]
    for name in wanted.conversations or ():
        if name not in known:
            raise BadRequestError(
                f"conversation {name}: not in the data set, which has {', '.join(known)}; choose "
                "of these, or name another data set (--dataset, LOCOMO_DATASET)"
            )
    services.check(dataset)
    return dataset, [
        Task(
            wanted.release,
            name,
            wanted.questions,
            wanted.adversarial,
            wanted.force,
            repeat=wanted.repeats,
            repeat_ingestion=wanted.repeat_ingestion,
        )
        for name in known
        if not wanted.conversations or name in wanted.conversations
    ]


def _check_options(wanted: Launch, services: Services) -> None:
    protocol = services.settings.question_protocol
    if wanted.until_decided != (wanted.against is not None):
        raise BadRequestError("--until-decided and --against RELEASE go together; give both")
    if wanted.against == wanted.release:
        raise BadRequestError(f"--against {wanted.release}: a release is compared with another")
    if wanted.gate_against == wanted.release:
        raise BadRequestError(
            f"--gate-against {wanted.release}: a release is compared with another"
        )
    if wanted.gate_against and wanted.against and wanted.gate_against != wanted.against:
        raise BadRequestError(
            f"--gate-against {wanted.gate_against}: --until-decided decides against "
            f"{wanted.against}; name the same release twice"
        )
    mixed = wanted.force or wanted.repeats > 1 or wanted.adversarial or wanted.questions
    if wanted.until_decided and mixed:
        raise BadRequestError(
            "--until-decided chooses the questions itself, and asks each once: leave out --force, "
            "--repeats, --adversarial and --questions"
        )
    if wanted.force and wanted.repeats > 1:
        raise BadRequestError(
            "--force with --repeats: --force asks all again however often it was asked, and "
            "--repeats only what is missing; choose one"
        )
    if wanted.repeat_ingestion and wanted.repeats == 1:
        raise BadRequestError("--repeat-ingestion: say how often with --repeats")
    if wanted.repeat_ingestion and protocol in REFERENCE_PROTOCOLS:
        raise BadRequestError(
            f"--repeat-ingestion: the question protocol {protocol} asks without memories; leave "
            "it out"
        )


def _until_decided(
    wanted: Launch, dataset: Dataset, tasks: list[Task], services: Services
) -> UntilDecided | None:
    """Refuses an earlier release that can't be compared with, as `check_against`."""
    if not wanted.until_decided or wanted.against is None:
        return None
    stopping = UntilDecided(services, dataset, tasks, wanted.against)
    stopping.check()
    return stopping


def _check_gate(
    wanted: Launch, dataset: Dataset, tasks: Sequence[Task], services: Services
) -> None:
    """Refuses a release that the gate could not compare with, before anything is paid for."""
    if wanted.gate_against is not None and not wanted.until_decided:
        scored = [replace(task, adversarial=False) for task in tasks]
        UntilDecided(services, dataset, scored, wanted.gate_against).check()


def forecast_launch(wanted: Launch, services: Services) -> list[forecast.Item]:
    """Turns, questions and verdicts that a launch has still to pay for.

    Raises what `launch` does, and what it would fail with by what is stored: `check_spending`.
    """
    dataset, tasks = check_launch(wanted, services)
    build_defs(services=services)
    with _usable_instance(services.settings.home) as instance:
        instance.get_dynamic_partitions(CONVERSATION)
    _until_decided(wanted, dataset, tasks, services)
    _check_gate(wanted, dataset, tasks, services)
    asyncio.run(services.check_spending(dataset, tasks))
    return forecast_rounds(dataset, tasks, services)
