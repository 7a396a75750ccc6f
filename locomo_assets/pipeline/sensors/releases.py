"""The sensor that sees a new release in a feed and requests the runs that measure it.

A failed read is a skip with its reason and leaves the cursor as it is. The sensor is off unless
somebody switches it on, because from then on each new release costs a full run.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from locomo_assets.errors import LocomoError
from locomo_assets.pipeline.partitions import CONVERSATION, RELEASE, releases
from locomo_assets.pipeline.schedules import JOB, release_run_requests
from locomo_assets.runs.releases import ReleaseTakenError, register_found
from locomo_assets.services import Services
from locomo_assets.settings import Settings

if TYPE_CHECKING:
    from locomo_assets.feeds.detect import Decision
    from locomo_assets.feeds.feed import FeedRelease

NAME = "backboard_release_sensor"
RELEASE_TAG = "locomo/release"
SOURCE_TAG = "locomo/source"
PUBLISHED_TAG = "locomo/published_at"


def release_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor, looking as often as the settings say."""

    @dg.sensor(
        name=NAME,
        job_name=JOB,
        minimum_interval_seconds=settings.release_feed_seconds,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Reads the release feed (LOCOMO_RELEASE_FEED). A new release is registered and "
        "measured at once: COSTS A FULL RUN PER RELEASE (each turn a message, each question an LLM "
        "answer and a judge call). The first tick registers the newest release and runs nothing.",
    )
    def backboard_release_sensor(
        context: dg.SensorEvaluationContext, services: dg.ResourceParam[Services]
    ) -> dg.SensorResult | dg.SkipReason:
        try:
            return look(context, services)
        except (LocomoError, OSError) as error:
            return dg.SkipReason(str(error))

    return backboard_release_sensor


def look(
    context: dg.SensorEvaluationContext, services: Services
) -> dg.SensorResult | dg.SkipReason:
    """One tick. LocomoError where feed or history can't be used: then nothing is done."""
    from locomo_assets.feeds.detect import Cursor, decide

    feed = services.feed()
    if feed is None:
        return dg.SkipReason(
            "no release feed is configured; set LOCOMO_RELEASE_FEED (changelog, openapi, sdk, json "
            "or file) and LOCOMO_RELEASE_FEED_URL where the code location runs"
        )
    cursor = Cursor.read(context.cursor, feed)
    decision = decide(feed, cursor, feed.read(cursor.reading() if cursor else None))
    if decision.measure and not context.instance.get_dynamic_partitions(CONVERSATION):
        return dg.SkipReason(
            f"{decision.told}; but no conversations are registered: materialize locomo_dataset, "
            "and the next tick runs it"
        )
    registered, taken = _register(decision, feed.kind, services)
    requests = (
        release_run_requests(
            context.instance,
            decision.measure.label,
            partitions_per_run=services.settings.partitions_per_run,
            tags=_tags(decision.measure, feed.kind),
        )
        if decision.measure in registered
        else []
    )
    known = context.instance.get_dynamic_partitions(RELEASE)
    new = [release.label for release in registered if release.label not in known]
    told = [decision.told, *(f"{label}: not used, as imported results bear it" for label in taken)]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("; ".join(told)),
        cursor=decision.cursor.model_dump_json() if decision.cursor else None,
        dynamic_partitions_requests=[releases.build_add_request(new)] if new else [],
        asset_events=[_observation(release, decision, feed.kind) for release in registered],
    )


def _register(
    decision: "Decision", source: str, services: Services
) -> "tuple[list[FeedRelease], list[str]]":
    """Says in the history what was found: which releases, and labels that are taken there."""
    found = [release for release in (decision.register, decision.measure) if release]
    registered: list[FeedRelease] = []
    taken = []
    store = services.store() if found or decision.missed else None
    for release in (*decision.missed, *found):
        missed = release in decision.missed
        try:
            if store:
                register_found(store, release, source=source, run_id=NAME, missed=missed)
            registered.append(release)
        except ReleaseTakenError:
            taken.append(release.label)
    return registered, taken


def _observation(release: "FeedRelease", decision: "Decision", source: str) -> dg.AssetObservation:
    """What the UI says of the release, at its metrics."""
    if release in decision.missed:
        newest = decision.cursor.newest if decision.cursor else "another"
        state = f"missed: the service was at {newest} when it was seen, so it was never measured"
    elif release == decision.measure:
        state = "seen, and its runs requested"
    else:
        state = "registered at the first look, and not run"
    metadata: dict[str, Any] = {**_tags(release, source), "release_state": state}
    if release.url:
        metadata["url"] = dg.MetadataValue.url(release.url)
    return dg.AssetObservation("accuracy_metrics", partition=release.label, metadata=metadata)


def _tags(release: "FeedRelease", source: str) -> dict[str, str]:
    published = release.published_at
    return {
        RELEASE_TAG: release.label,
        SOURCE_TAG: source,
        PUBLISHED_TAG: published.isoformat() if published else "unknown",
    }
