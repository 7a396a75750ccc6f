"""Tab completes commands, options and releases."""

import pytest

from locomo_assets.cli.shell import completion
from locomo_assets.history.store import HistoryStore
from locomo_assets.places import read_database_path
from locomo_assets.settings import SettingsError, read_settings
from locomo_assets_tests.cli.shell.running import Commands


@pytest.fixture
def tab(run: Commands, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The command line, asked as bash asks it."""
    monkeypatch.setenv("_LOCOMO_ASSETS_COMPLETE", "complete_bash")
    return run


def offered(tab: Commands, monkeypatch: pytest.MonkeyPatch, words: str) -> list[str]:
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    done = tab()
    assert (done.code, done.err) == (0, "")
    return done.out.split()


@pytest.mark.parametrize(
    ("words", "some"),
    [
        ("locomo-assets com", ["compare"]),
        ("locomo-assets history re", ["refresh", "rebuild", "register"]),
        ("locomo-assets report --le", ["--leaderboard"]),
        ("locomo-assets compare vendor-1 --format ma", ["markdown"]),
    ],
)
def test_commands_and_options(
    tab: Commands, monkeypatch: pytest.MonkeyPatch, words: str, some: list[str]
) -> None:
    assert offered(tab, monkeypatch, words) == some


@pytest.mark.parametrize(
    "words",
    [
        "locomo-assets report --release ",
        "locomo-assets compare ven",
        "locomo-assets compare vendor-1 v",
        "locomo-assets export ",
        "locomo-assets releases pin ",
        "locomo-assets judge --release vend",
        "locomo-assets judge-panel x.toml --release ",
        "locomo-assets run --gate-against ",
        "locomo-assets plan --against ",
        "locomo-assets remote list --release ",
    ],
)
def test_releases_the_newest_first(
    imported: Commands, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setenv("_LOCOMO_ASSETS_COMPLETE", "complete_bash")
    assert offered(imported, monkeypatch, words) == ["vendor-2", "vendor-1"]
    assert offered(imported, monkeypatch, words.rpartition(" ")[0] + " x") == []


def test_it_is_silent_and_makes_nothing_where_nothing_can_be_read(
    tab: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_settings()
    assert offered(tab, monkeypatch, "locomo-assets report --release ") == []
    assert list(settings.home.iterdir()) == []
    HistoryStore.open(settings.history_url)
    settings.database_path.write_text("no database")
    assert completion.releases("") == []
    monkeypatch.setenv("LOCOMO_MAX_COST_USD", "no number")
    assert completion.releases("") == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"LOCOMO_HOME": "~/sp ace\n"},
        {"LOCOMO_HOME": "file:///tmp/a%20b", "LOCOMO_HISTORY": ""},
        {"locomo_home": "elsewhere", "LOCOMO_HISTORY": " FILE://localhost/tmp/a%20b/ "},
        {"LOCOMO_HOME": "here", "LOCOMO_HISTORY": "s3://bucket/history"},
        {"LOCOMO_HOME": "here", "LOCOMO_HISTORY": "file://other/tmp"},
        {"LOCOMO_HOME": "a?b"},
    ],
)
def test_it_looks_where_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    try:
        wanted = read_settings().database_path
    except SettingsError:
        with pytest.raises(ValueError, match=r"path|file URL"):
            read_database_path()
    else:
        assert read_database_path() == wanted


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_of_shells(run: Commands, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    """The shell is the one that the command is typed in, which a test may not have."""
    monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, f"/bin/{shell}"))
    done = run("--show-completion")
    assert done.code == 0
    assert f"_LOCOMO_ASSETS_COMPLETE=complete_{shell}" in done.out
