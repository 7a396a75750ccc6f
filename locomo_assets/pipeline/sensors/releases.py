"""The sensor that sees a new release in a feed and requests the runs that measure it.

A failed read is a skip with its reason and leaves the cursor as it is. The sensor is off unless
somebody switches it on, because from then on each new release costs a full run.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from locomo_assets.errors import LocomoError
from locomo_assets.pipeline.partitions import CONVERSATION, RELEASE, RELEASE_TAG, releases
from locomo_assets.pipeline.schedules import JOB, release_run_requests
from locomo_assets.runs.releases import ReleaseTakenError, register_found
from locomo_assets.services import Services
from locomo_assets.settings import Settings

if TYPE_CHECKING:
    from locomo_assets.feeds.detect import Detection
    from locomo_assets.feeds.feed import FeedRelease

NAME = "backboard_release_sensor"
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
    from locomo_assets.feeds.detect import Cursor, detect_releases

    feed = services.feed()
    if feed is None:
        return dg.SkipReason(
            "no release feed is configured; set LOCOMO_RELEASE_FEED (changelog, openapi, sdk, json "
            "or file) and LOCOMO_RELEASE_FEED_URL where the code location runs"
        )
    cursor = Cursor.parse(context.cursor, feed)
    reading = feed.read(cursor.last_response() if cursor else None)
    for skipped in reading.skipped:
        context.log.warning(f"{feed.name}: {skipped}; it is left out")
    detection = detect_releases(feed, cursor, reading)
    if detection.measure and not context.instance.get_dynamic_partitions(CONVERSATION):
        return dg.SkipReason(
            f"{detection.summary}; but no conversations are registered: materialize "
            "locomo_dataset, and the next tick runs it"
        )
    registered, taken = _register(detection, feed.kind, services)
    requests = (
        release_run_requests(
            context.instance,
            detection.measure.label,
            partitions_per_run=services.settings.partitions_per_run,
            tags=_tags(detection.measure, feed.kind),
        )
        if detection.measure in registered
        else []
    )
    known = context.instance.get_dynamic_partitions(RELEASE)
    new = [release.label for release in registered if release.label not in known]
    told = [
        detection.summary,
        *(f"{label}: not used, as imported results bear it" for label in taken),
        *(f"left out: {skipped}" for skipped in reading.skipped),
    ]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("; ".join(told)),
        cursor=detection.cursor.model_dump_json() if detection.cursor else None,
        dynamic_partitions_requests=[releases.build_add_request(new)] if new else [],
        asset_events=[_observation(release, detection, feed.kind) for release in registered],
    )


def _register(
    detection: "Detection", source: str, services: Services
) -> "tuple[list[FeedRelease], list[str]]":
    """Says in the history what was found: which releases, and labels that are taken there."""
    found = [release for release in (detection.register, detection.measure) if release]
    registered: list[FeedRelease] = []
    taken = []
    store = services.store() if found or detection.missed else None
    for release in (*detection.missed, *found):
        missed = release in detection.missed
        try:
            if store:
                register_found(store, release, source=source, run_id=NAME, missed=missed)
            registered.append(release)
        except ReleaseTakenError:
            taken.append(release.label)
    return registered, taken


def _observation(
    release: "FeedRelease", detection: "Detection", source: str
) -> dg.AssetObservation:
    """What the UI says of the release, at its metrics."""
    if release in detection.missed:
        newest = detection.cursor.newest if detection.cursor else "another"
        state = f"missed: the service was at {newest} when it was seen, so it was never measured"
    elif release == detection.measure:
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
