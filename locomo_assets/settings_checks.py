"""Whether what the environment says goes together, and is spelled as we read it.

Here: rules over several settings, and names that are nearly a setting's. Each setting's own range
is in `settings`, whose values these are.
"""

import difflib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from locomo_assets.secret_store import VaultError, parse_reference

if TYPE_CHECKING:
    from locomo_assets.settings import Settings

_PREFIX = "LOCOMO_"
_NEARLY = 0.76
"""The likeness from which on a name counts as misspelled: MAX_COST and MAX_COST_USD have 0.80.

RELEASE, which deployments use for their own, and RELEASE_FEED have 0.74.
"""


def contradictions(settings: "Settings", variables: Iterable[str]) -> Iterator[str]:
    """One line for each thing amiss, with the way out; `variables` are the environment's names."""
    yield from _misspelled(settings, variables)
    if settings.gold == "corrected" and settings.audit is None:
        yield (
            "LOCOMO_GOLD is corrected but LOCOMO_AUDIT is not set; name the audit whose gold "
            "answers are to be judged by, or unset LOCOMO_GOLD"
        )
    narrowest = min(settings.max_requests_in_flight, settings.max_verdicts_in_flight)
    if settings.runs_at_once > narrowest:
        yield (
            f"LOCOMO_RUNS_AT_ONCE is {settings.runs_at_once}, but only {narrowest} requests or "
            "verdicts may be under way, too few for one each; lower it, or raise "
            "LOCOMO_MAX_REQUESTS_IN_FLIGHT and LOCOMO_MAX_VERDICTS_IN_FLIGHT"
        )
    yield from _feed(settings)
    yield from _keys(settings)


def _misspelled(settings: "Settings", variables: Iterable[str]) -> Iterator[str]:
    """Of a misspelled limit nobody would hear before it is passed."""
    aliases = (str(field.validation_alias) for field in type(settings).model_fields.values())
    known = {alias.removeprefix(_PREFIX) for alias in aliases if alias.startswith(_PREFIX)}
    for variable in sorted(variables):
        name = variable.removeprefix(_PREFIX)
        if name in known or not variable.startswith(_PREFIX):
            continue
        for meant in difflib.get_close_matches(name, known, n=1, cutoff=_NEARLY):
            yield f"{variable} is no setting, but {_PREFIX}{meant} is; rename it, or unset it"


def _feed(settings: "Settings") -> Iterator[str]:
    if settings.release_feed is None and settings.release_feed_url:
        yield (
            "LOCOMO_RELEASE_FEED_URL is set but LOCOMO_RELEASE_FEED is not; say which kind of feed "
            "it is (changelog, openapi, sdk, json, file), or unset it"
        )
    if settings.release_feed not in (None, "changelog") and not settings.release_feed_url:
        yield (
            f"LOCOMO_RELEASE_FEED is {settings.release_feed} but LOCOMO_RELEASE_FEED_URL is not "
            "set; give the feed's URL"
        )


def _keys(settings: "Settings") -> Iterator[str]:
    given = {
        "BACKBOARD_API_KEY": settings.backboard_api_key_given,
        "OPENAI_API_KEY": settings.openai_api_key_given,
    }
    if settings.secrets is not None:
        try:
            parse_reference(settings.secrets)
        except VaultError as error:
            yield f"LOCOMO_SECRETS: {error}"
        for name, key in given.items():
            if key is not None:
                yield f"{name} and LOCOMO_SECRETS both give that key; unset one of them"
        return
    public = type(settings).model_fields["backboard_base_url"].default
    if settings.backboard_base_url != public and given["BACKBOARD_API_KEY"] is None:
        yield (
            "BACKBOARD_BASE_URL is set but BACKBOARD_API_KEY is not; set the key, or unset the URL "
            "to measure the packaged stand-in"
        )
    if settings.openai_base_url and given["OPENAI_API_KEY"] is None:
        yield (
            "OPENAI_BASE_URL is set but OPENAI_API_KEY is not; set the key, or unset the URL to "
            "judge with the lexical judge"
        )
