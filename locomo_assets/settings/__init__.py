"""What the environment says: the only module that reads it, but for `places`.

It holds each setting's name, default, range and description, and the rules over several settings.
Keys live in `SecretStr` and are shown nowhere.
"""

import os
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator

from locomo_assets import places
from locomo_assets.errors import LocomoError
from locomo_assets.file_urls import FileUrlError
from locomo_assets.near_names import misspelled
from locomo_assets.network import TlsVersion
from locomo_assets.secret_store import VaultError, fetch, parse_reference
from locomo_assets.settings.configuration import Configuration

BACKBOARD_URL = "https://app.backboard.io/api"
CHANGELOG_URL = "https://backboard.io/changelog"


class SettingsError(LocomoError):
    """A setting has a value that can't be used."""

    exit_code = 2


class Settings(Configuration):
    """Every setting. Its variable is LOCOMO_ and the name in capitals, unless an alias is given."""

    home: Path = Field(
        default=places.HOME,
        description="Folder for the Dagster instance, the stand-in's state and the local history",
    )
    history: str | None = Field(
        default=None,
        description="URL of the history (`file:///…`, `s3://…`, `gs://…`, `abfs://…`); default: "
        "`history` in LOCOMO_HOME",
    )
    backup: str | None = Field(
        default=None,
        description="URL of the history's backups (`file:///…`, `s3://…`), best another disk or "
        "account than the history's; without it none is made",
    )
    backup_keep_days: int = Field(
        default=60,
        ge=30,
        le=90,
        description="Days, 30 to 90, after which a successful backup removes older ones; the "
        "newest two stay whatever their age",
    )
    dataset: str | None = Field(
        default=None, description="Path or https URL of a LoCoMo file; default: the packaged sample"
    )
    dataset_sha256: str | None = Field(
        default=None,
        description="SHA-256 the data set must have; needed where LOCOMO_DATASET is a URL",
    )
    audit: str | None = Field(
        default=None,
        description="Path or https URL of an audit of the data set's gold answers: accuracy is "
        "then shown without the faulty ones, and with its ceiling, too",
    )
    audit_sha256: str | None = Field(
        default=None, description="SHA-256 the audit must have; needed where LOCOMO_AUDIT is a URL"
    )
    gold: Literal["published", "corrected"] = Field(
        default="published",
        description="Gold answers that the judge is given: the data set's (`published`), or "
        "LOCOMO_AUDIT's in their place where it has others (`corrected`): verdicts of their own",
    )
    backboard_api_key_given: SecretStr | None = Field(
        default=None,
        validation_alias="BACKBOARD_API_KEY",
        description="Key of the Backboard API (costs money); without it the stand-in is measured",
    )
    backboard_base_url: str = Field(
        default=BACKBOARD_URL,
        validation_alias="BACKBOARD_BASE_URL",
        description="Where the memory service answers",
    )
    openai_api_key_given: SecretStr | None = Field(
        default=None,
        validation_alias="OPENAI_API_KEY",
        description="Key of the judge's API (costs money); without it the lexical judge judges",
    )
    answer_api_key_given: SecretStr | None = Field(
        default=None,
        validation_alias="LOCOMO_ANSWER_API_KEY",
        description="Key of the model that answers with `retrieval` (costs money); without it, "
        "where the stand-in is measured, the stand-in answers",
    )
    min_tls: TlsVersion = Field(
        default="1.3",
        description="The least TLS version spoken with the memory service, the judge and the "
        "answering model; `1.2` for proxies that know no better",
    )
    secrets: str | None = Field(
        default=None,
        description="Where both keys are fetched from whenever a run uses them, in place of the "
        "two variables: `aws-secretsmanager:<name or ARN>`, a JSON object "
        '`{"BACKBOARD_API_KEY": …, "OPENAI_API_KEY": …}`; several, separated by commas, if '
        "each key has its own; a key left empty is done without. It may hold "
        "`LOCOMO_ANSWER_API_KEY`, too, where that variable is not set",
    )
    judge_mode: Literal["direct", "batch"] = Field(
        default="direct",
        description="`direct`: a call for each verdict; `batch`: one batch a conversation, at half "
        "the price and within 24 hours",
    )
    judge_batch_wait_minutes: float = Field(
        default=30.0,
        ge=0,
        allow_inf_nan=False,
        description="How long a run waits for the judge's batches before it ends; a later run "
        "collects them",
    )
    prices: Path | None = Field(
        default=None,
        description="A price table of your own (TOML) in place of the packaged, dated one",
    )
    partitions_per_run: Literal["all", "one"] = Field(
        default="all",
        description="Whether a backfill measures all its conversations in one run (a laptop) or "
        "each in a run of its own (run pods)",
    )
    release_feed: Literal["changelog", "openapi", "sdk", "json", "file"] | None = Field(
        default=None,
        description="Where new releases of the memory service show: `changelog` (a page with dated "
        "entries), `openapi` (the service's OpenAPI document: its version and content), `sdk` (the "
        "JSON of its Python package at an index), `json` (a list of version, published_at, url) or "
        "`file` (the same in a file); default: none",
    )
    release_feed_url: SecretStr | None = Field(
        default=None,
        description="That feed's URL (told without credentials and query), or the file's path; "
        "default: the public changelog for `changelog`, none for the others",
    )
    release_feed_seconds: int = Field(
        default=1800,
        ge=1,
        description="How often the sensor `backboard_release_sensor`, once started, reads the feed",
    )
    allow_other_release: bool = Field(
        default=False,
        description="Measure under any label, whatever release the feed says is current: the "
        "history then says that nobody checked",
    )
    weekly_cron: str = Field(
        default="0 3 * * 1",
        description="When the schedule `weekly_full_run`, once started, measures all conversations "
        "(UTC); costs a full run each time",
    )
    daily_cron: str = Field(
        default="0 5 * * *",
        description="When the schedule `daily_sample_run`, once started, asks the sample (UTC); "
        "costs LOCOMO_SAMPLE_QUESTIONS questions and verdicts each time",
    )
    backup_cron: str = Field(
        default="30 2 * * *",
        description="When the schedule `history_backup_run`, once started, makes a backup (UTC)",
    )
    sample_questions: int = Field(
        default=100,
        ge=1,
        description="How many questions the daily sample has, spread over conversations and "
        "categories 1–4 as the data set's are",
    )
    max_requests_in_flight: int = Field(
        default=16,
        ge=1,
        description="Requests to the memory service under way at once, over all conversations, "
        "at most: it starts at 4, grows while answers come, shrinks at each 429 episode",
    )
    max_verdicts_in_flight: int = Field(
        default=16,
        ge=1,
        description="Verdicts being given at once, over all conversations, at most; likewise",
    )
    runs_at_once: int = Field(
        default=1,
        ge=1,
        description="Runs that may measure with one service at the same time, over all that share "
        "the history; the others wait. Each gets its share of the two limits before",
    )

    max_cost_usd: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="The most USD that what a run measures may have cost, earlier runs of the same "
        "conversations and release included; it stops before a call would pass it",
    )
    max_error_percent: float = Field(
        default=2.0,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="The most questions of a release, in percent, that may be without a verdict "
        "(unscored, unanswered, not judged); above it its numbers are marked invalid",
    )
    min_accuracy_percent: float = Field(
        default=85.0,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="The accuracy below which the check `accuracy` warns; the stand-in and the "
        "rule-based judge are not held to it",
    )
    margin_points: float = Field(
        default=1.0,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="The difference in accuracy that matters to you: two releases closer than this "
        "are equivalent",
    )
    max_run_minutes: float = Field(
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        description="The minutes of work on a release above which the check `run_time` warns",
    )
    max_trend_age_days: int = Field(
        default=14,
        ge=1,
        description="How old accuracy_trends may be before it counts as stale in the UI; half "
        "that age is its warning",
    )
    alert_urls_high: SecretStr | None = Field(
        default=None,
        description="Where failed runs and API errors are told: apprise URLs, separated by spaces; "
        "they hold tokens",
    )
    alert_urls_medium: SecretStr | None = Field(
        default=None, description="Where low accuracy is told, likewise"
    )
    alert_urls_low: SecretStr | None = Field(
        default=None, description="Where long runs are told, likewise"
    )
    ui_url: str | None = Field(
        default=None, description="The Dagster UI's public address, for links to runs in alerts"
    )
    keep_assistants_days: int = Field(
        default=30,
        ge=0,
        description="How old what runs left at the memory service must be for `remote delete` to "
        "remove it, where neither --older-than nor --release is given",
    )

    log_format: Literal["text", "json"] = Field(
        default="text",
        description="How this process logs: the usual text, or one JSON object a line",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = Field(
        default=None,
        description="From which level on; DEBUG tells every request with its body. Default: INFO "
        "as JSON; as text WARNING in runs, ERROR on the command line",
    )

    @field_validator("home", mode="before")
    @classmethod
    def _absolute(cls, value: str | Path) -> Path:
        return places.home_at(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Settings that contradict each other, and names that are nearly a setting's."""
        names = [str(field.validation_alias) for field in type(self).model_fields.values()]
        lines = (misspelled(os.environ, names), self._contradictions(), self._unusable_keys())
        for line in chain(*lines):
            raise ValueError(line)
        return self

    def _contradictions(self) -> Iterator[str]:
        if self.gold == "corrected" and self.audit is None:
            yield (
                "LOCOMO_GOLD is corrected but LOCOMO_AUDIT is not set; name the audit whose gold "
                "answers are to be judged by, or unset LOCOMO_GOLD"
            )
        lowest = min(self.max_requests_in_flight, self.max_verdicts_in_flight)
        if self.runs_at_once > lowest:
            yield (
                f"LOCOMO_RUNS_AT_ONCE is {self.runs_at_once}, but only {lowest} requests or "
                "verdicts may be under way, too few for one each; lower it, or raise "
                "LOCOMO_MAX_REQUESTS_IN_FLIGHT and LOCOMO_MAX_VERDICTS_IN_FLIGHT"
            )
        if self.release_feed is None and self.release_feed_url:
            yield (
                "LOCOMO_RELEASE_FEED_URL is set but LOCOMO_RELEASE_FEED is not; say which kind of "
                "feed it is (changelog, openapi, sdk, json, file), or unset it"
            )
        if (kind := self.release_feed) not in (None, "changelog") and not self.release_feed_url:
            yield f"LOCOMO_RELEASE_FEED is {kind}: LOCOMO_RELEASE_FEED_URL must give the feed's URL"
        if self.question_protocol == "retrieval" and self.secrets is None:
            yield from self._without_answerer()

    def _without_answerer(self) -> Iterator[str]:
        if self.answer_api_key_given is not None:
            return
        if self.backboard_api_key_given is not None:
            yield (
                "LOCOMO_QUESTION_PROTOCOL is retrieval but LOCOMO_ANSWER_API_KEY is not set; set "
                "the key of the model that answers from the memories"
            )
        if self.answer_base_url is not None:
            yield (
                "LOCOMO_ANSWER_BASE_URL is set but LOCOMO_ANSWER_API_KEY is not; set the key, or "
                "unset the URL to let the stand-in answer"
            )

    def _unusable_keys(self) -> Iterator[str]:
        given = {
            "BACKBOARD_API_KEY": self.backboard_api_key_given,
            "OPENAI_API_KEY": self.openai_api_key_given,
        }
        if self.secrets is not None:
            try:
                parse_reference(self.secrets)
            except VaultError as error:
                yield f"LOCOMO_SECRETS: {error}"
            for name, key in given.items():
                if key is not None:
                    yield f"{name} and LOCOMO_SECRETS both give that key; unset one of them"
            return
        if self.backboard_base_url != BACKBOARD_URL and given["BACKBOARD_API_KEY"] is None:
            yield (
                "BACKBOARD_BASE_URL is set but BACKBOARD_API_KEY is not; set the key, or unset "
                "the URL to measure the packaged stand-in"
            )
        if self.openai_base_url and given["OPENAI_API_KEY"] is None:
            yield (
                "OPENAI_BASE_URL is set but OPENAI_API_KEY is not; set the key, or unset the URL "
                "to judge with the lexical judge"
            )

    def held_secrets(self) -> list[str]:
        """Every key that is set, to keep it out of what is told."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return [one.get_secret_value() for one in values if isinstance(one, SecretStr)]

    def given_keys(self) -> list[str]:
        """The keys of the services asked that are set, to keep each out of the others' errors."""
        given = (
            self.backboard_api_key_given,
            self.openai_api_key_given,
            self.answer_api_key_given,
        )
        return [key.get_secret_value() for key in given if key is not None]

    @property
    def backboard_api_key(self) -> SecretStr | None:
        """The key of the Backboard API, fetched now where LOCOMO_SECRETS names a secret.

        `VaultError` where it can't be.
        """
        return self._key("BACKBOARD_API_KEY", self.backboard_api_key_given)

    @property
    def openai_api_key(self) -> SecretStr | None:
        """The key of the judge's API; likewise."""
        return self._key("OPENAI_API_KEY", self.openai_api_key_given)

    @property
    def answer_api_key(self) -> SecretStr | None:
        """The key of the model that answers with `retrieval`; a secret need not hold it."""
        if self.secrets is None or self.answer_api_key_given is not None:
            return self.answer_api_key_given
        key = fetch(self.secrets).get("LOCOMO_ANSWER_API_KEY")
        return SecretStr(key) if key else None

    def _key(self, name: str, given: SecretStr | None) -> SecretStr | None:
        if self.secrets is None:
            return given
        held = fetch(self.secrets)
        if name not in held:
            # Silently, the stand-in or the lexical judge would take its place.
            raise VaultError(
                f"LOCOMO_SECRETS: {name} is not in {self.secrets}; store it there, empty to do "
                "without"
            )
        return SecretStr(held[name]) if held[name] else None

    @property
    def history_url(self) -> str:
        """The history's URL, resolved and as this program writes it."""
        try:
            return places.history_url(self.history, self.home)
        except FileUrlError as error:
            raise SettingsError(f"LOCOMO_HISTORY: {error}") from None

    @property
    def database_path(self) -> Path:
        """Where `history.duckdb` is published: in a local history, else in LOCOMO_HOME."""
        return places.database_path(self.history_url, self.home)

    @property
    def standin_path(self) -> Path:
        """The in-process stand-in's state, shared by all runs of this home."""
        return self.home / "standin" / "state.sqlite"


def read_key(variable: str) -> SecretStr | None:
    """A key out of a variable that a file names, such as a panel's judge; None: not set."""
    value = os.environ.get(variable, "").strip()
    return SecretStr(value) if value else None


def read_settings(changes: Mapping[str, object] | None = None) -> Settings:
    """The settings of this process; `changes` are another configuration's, by field name.

    Raises SettingsError, which names the variable and what is wrong with it, but never its value:
    that may be a key.
    """
    fields = Settings.model_fields
    given: dict[str, Any] = {
        str(fields[name].validation_alias): value for name, value in (changes or {}).items()
    }
    try:
        return Settings(**given)
    except ValidationError as error:
        line = _line_of(error)
    # Outside of `except`: as its context, the other error would keep all modules alive at exit.
    raise SettingsError(line)


def _line_of(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    if not first["loc"]:  # of several settings: the rule's own line names them
        return str(first["ctx"]["error"])
    said = first["msg"].removeprefix("Value error, ")
    return f"{'.'.join(map(str, first['loc']))}: {said}; see docs/settings.md"


def shows_traceback() -> bool:
    """Whether errors end with their traceback. Read by itself, as settings may be the error."""
    return bool(os.environ.get("LOCOMO_TRACEBACK"))
