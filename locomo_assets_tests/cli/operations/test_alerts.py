"""`alert-test` and `exporter` as a person runs them."""

import os
import subprocess
import sys
from pathlib import Path

from locomo_assets_tests.reporting.alerts.sink import served_sink

COMMAND = str(Path(sys.executable).with_name("locomo-assets"))


def run(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": os.environ["PATH"], "LOCOMO_HOME": str(home), **environment}
    return subprocess.run(
        [COMMAND, *arguments], env=given, capture_output=True, text=True, check=False, timeout=120
    )


def test_channels_are_tried_and_named_without_their_tokens(tmp_path: Path) -> None:
    with served_sink() as sink:
        good = run(tmp_path, "alert-test", LOCOMO_ALERT_URLS_LOW=sink.url())
        assert (good.returncode, good.stdout) == (0, "low 1 (JSON): accepted\n"), good.stderr
        (post,) = sink.posts
        assert post["title"] == "LoCoMo: test of the alerts of severity low"
        urls = f"{sink.url()} json://127.0.0.1:9/T0kenOfTheChannel nonsense://T0kenOfTheChannel"
        bad = run(tmp_path, "alert-test", LOCOMO_ALERT_URLS_HIGH=urls)
    assert bad.returncode == 1
    assert bad.stdout.splitlines() == [
        "high 1 (JSON): accepted",
        "high 2 (JSON): NOT accepted",
        "high 3 (not understood): NOT accepted",
    ]
    (line,) = [line for line in bad.stderr.splitlines() if line.startswith("error: ")]
    assert "high 2 (JSON), high 3 (not understood)" in line
    assert "T0kenOfTheChannel" not in bad.stdout + bad.stderr
    none = run(tmp_path, "alert-test")
    assert none.returncode == 1
    assert "LOCOMO_ALERT_URLS_HIGH" in none.stderr


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with served_sink() as sink:
        done = run(tmp_path, "exporter", "--port", str(sink.port))
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert str(sink.port) in lines[0]
    assert "Traceback" not in done.stderr
