"""Whether there is anything to read where a command looks. What only reads makes nothing there."""

from pathlib import Path

from locomo_assets.history import database
from locomo_assets.history.errors import NothingMeasuredError
from locomo_assets.settings import Settings, read_settings


def history_settings() -> Settings:
    """The settings of a command that reads `history.duckdb`.

    Raises NothingMeasuredError where there is neither that nor a history that it is made from.
    """
    settings = read_settings()
    if not settings.database_path.exists():
        _refuse_missing(settings)
        from locomo_assets.history.store import HistoryStore

        if not HistoryStore.open(settings.history_url, create=False).manifest_names():
            raise nothing_measured(settings)
    return settings


def stored_history_settings() -> Settings:
    """The settings of a command that opens the history itself; likewise."""
    settings = read_settings()
    _refuse_missing(settings)
    return settings


def released_settings() -> Settings:
    """As `history_settings`, and raises NothingMeasuredError where no release is in the history."""
    settings = history_settings()
    _, rows = database.query(settings.database_path, "SELECT release FROM release_order LIMIT 1")
    if not rows:
        raise nothing_measured(settings)
    return settings


def nothing_measured(settings: Settings) -> NothingMeasuredError:
    """The error that names the place, and another one where there is something."""
    place = f"{settings.home} (LOCOMO_HOME)"
    if settings.history is not None:
        place = f"{settings.history} (LOCOMO_HISTORY)"
    project = _project_above(settings.home)
    go = "go to your project" if project is None else f"go to your project, such as {project}"
    return NothingMeasuredError(f"nothing is measured in {place}; run `locomo-assets run`, or {go}")


def _refuse_missing(settings: Settings) -> None:
    if not _exists(settings.history_url):
        raise nothing_measured(settings)


def _exists(history_url: str) -> bool:
    # Only where there is no database: the store takes longer to load than a query to answer.
    from locomo_assets.history.store import HistoryStore

    return HistoryStore.exists(history_url)


def _project_above(home: Path) -> Path | None:
    """The nearest folder above this one in which something was measured, in another home."""
    name = Settings.model_fields["home"].default
    for folder in Path.cwd().parents:
        if folder / name != home and _exists((folder / name / "history").as_uri()):
            return folder
    return None
