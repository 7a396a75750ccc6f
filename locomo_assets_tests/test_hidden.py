"""Hidden packages: not found while the block lasts, by whatever way they are imported."""

import subprocess
import sys
from importlib import import_module

import pytest

from locomo_assets.hidden import hidden


def test_a_package_is_hidden_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with hidden("colorsys"), pytest.raises(ModuleNotFoundError, match="colorsys"):
        import_module("colorsys")
    assert import_module("colorsys").__name__ == "colorsys"


def test_others_are_found_and_what_is_loaded_stays() -> None:
    with hidden("json", "colorsys"):
        assert import_module("json").__name__ == "json"
        assert import_module("wave").__name__ == "wave"


@pytest.mark.parametrize(
    ("loaded", "hides"),
    [
        # A forecast, and results of others, name a judge that nobody asks.
        (
            "import locomo_assets.judging.verdict_request\n"
            "import locomo_assets.imports.backboard_published",
            "openai",
        ),
        ("import locomo_assets.judging.llm", "aiohttp"),
        (
            "from locomo_assets.history.data_files import do_without_pandas, pa\n"
            "do_without_pandas()\n"
            "assert pa.array(['a', None]).to_pylist() == ['a', None]",
            "pandas",
        ),
    ],
)
def test_libraries_do_without(loaded: str, hides: str) -> None:
    code = f"import sys\n{loaded}\nassert {hides!r} not in sys.modules\nimport {hides}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_arrow_still_makes_frames_for_who_asks() -> None:
    code = (
        "from locomo_assets.history.data_files import do_without_pandas, pa\n"
        "do_without_pandas()\n"
        "assert list(pa.table({'a': [1]}).to_pandas().columns) == ['a']"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
