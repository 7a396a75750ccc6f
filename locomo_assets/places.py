"""Where the home, the history and its database lie, by the settings that say so.

`settings` reads them with all others. Completion reads these two alone: to load all settings takes
longer than a shell's Tab should.
"""

import os
from pathlib import Path

from locomo_assets.file_urls import local_path, normalized, path_of

HOME = Path(".locomo")


def home_at(given: str | Path) -> Path:
    """The folder that a path or `file:` URL names. Raises ValueError, FileUrlError among them."""
    # A line's end comes with a value out of a file.
    home = local_path(str(given).rstrip("\r\n")).expanduser().absolute()
    if "?" in str(home):
        # Dagster writes the path into SQLite's URL as it is.
        raise ValueError("Dagster can't keep its instance in a path with `?`; choose another")
    return home


def history_url(given: str | None, home: Path) -> str:
    """The history's URL, as this program writes it; where none is given, in the home.

    Raises FileUrlError.
    """
    url = (given or "").strip()
    return normalized(url) if url else (home / "history").as_uri()


def database_path(history_url: str, home: Path) -> Path:
    """Where `history.duckdb` is published: in a local history, else in the home."""
    return (path_of(history_url) or home) / "history.duckdb"


def read_database_path() -> Path:
    """The same, by this process's environment. Raises ValueError."""
    # As in `settings`: the case of a variable's name does not count, and empty is not set.
    variables = {name.lower(): value for name, value in os.environ.items() if value}
    home = home_at(variables.get("locomo_home", HOME))
    return database_path(history_url(variables.get("locomo_history"), home), home)
