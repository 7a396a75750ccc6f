"""One place decodes `file:` URLs, and whoever is given one ends at the same path."""

from pathlib import Path

import pytest

from locomo_assets.api import _place
from locomo_assets.feeds.feed import ReleaseFeed
from locomo_assets.file_urls import FileUrlError, is_file_url, local_path, normalized, path_of
from locomo_assets.history.backup.snapshot import open_backup_storage
from locomo_assets.history.errors import HistoryError
from locomo_assets.history.storage import open_storage
from locomo_assets.locomo.model import DatasetError
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample
from locomo_assets.settings import SettingsError, read_settings

NAMES = [
    "plain",
    "sp ace",
    "ünï çødé 記憶",
    "100%",
    "%20",
    "a#b",
    "a?b=c",
    "it's",
    "a+b&c;d",
    'q"q',
]


def spellings(path: Path) -> list[str]:
    """The ways in which people write the URL of a path."""
    encoded = path.as_uri().removeprefix("file://")
    return [
        f"file://{encoded}",
        f"FILE://{encoded}",
        f"file://localhost{encoded}",
        f"File://LOCALHOST{encoded}",
        f"file:{encoded}",
        f"file://{encoded}\n",
        f"file://{encoded}\r\n",
        f" file://{encoded} ",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_spelling_is_the_same_path(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "history"
    for url in spellings(path):
        assert path_of(url) == local_path(url) == path
        assert normalized(url) == path.as_uri() == open_storage(url).url
        assert open_backup_storage(url).url == path.as_uri()
        assert _place(url, read_settings()) == (path.as_uri(), path / "history.duckdb")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "%20"])
def test_what_is_not_encoded_is_meant_as_written(tmp_path: Path, name: str) -> None:
    assert path_of(f"file://{tmp_path / name}") == tmp_path / name


def test_bytes_that_are_no_text_stay() -> None:
    path = Path("/a\udcff")
    assert path.as_uri() == "file:///a%FF"
    assert path_of("file:///a%FF") == path


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_find_history_and_database(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in spellings(tmp_path / name):
        monkeypatch.setenv("LOCOMO_HISTORY", url)
        assert read_settings().history_url == (tmp_path / name).as_uri()
        assert read_settings().database_path == tmp_path / name / "history.duckdb"
    monkeypatch.delenv("LOCOMO_HISTORY")
    if "?" in name:  # refused as a home: cli/operations/test_places.py
        return
    for home in (f"{tmp_path / name}\n", *spellings(tmp_path / name)):
        monkeypatch.setenv("LOCOMO_HOME", home)
        assert read_settings().database_path == tmp_path / name / "history" / "history.duckdb"


@pytest.mark.parametrize("name", NAMES)
def test_files_are_read_by_url_and_by_path(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(Path(packaged_sample()).read_bytes())
    expected = read_dataset(str(path))
    for url in spellings(path):
        assert read_dataset(url) == expected
    path.write_text('[{"version": "1.2.3", "published_at": "2026-01-01T00:00:00Z"}]')
    releases = ReleaseFeed(kind="file", url=str(path)).read(None).releases
    assert releases
    for url in spellings(path):
        assert ReleaseFeed(kind="file", url=url).read(None).releases == releases


@pytest.mark.parametrize("url", ["file://server/folder", "file:folder", "file://", "file:///a%00b"])
def test_what_names_no_path_here_is_refused_by_everybody(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_file_url(url)
    with pytest.raises(FileUrlError, match="not an absolute file URL"):
        path_of(url)
    with pytest.raises(HistoryError, match="not an absolute file URL"):
        open_storage(url)
    with pytest.raises(DatasetError, match="not an absolute file URL"):
        read_dataset(url)
    monkeypatch.setenv("LOCOMO_HISTORY", url)
    with pytest.raises(SettingsError, match="LOCOMO_HISTORY: not an absolute file URL"):
        _ = read_settings().history_url


@pytest.mark.parametrize("other", ["s3://bucket/folder", "https://host/x", "/folder", "files:///a"])
def test_nothing_else_is_a_file_url(other: str) -> None:
    assert path_of(other) is None
    assert normalized(other) == other
