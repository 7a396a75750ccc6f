"""The accuracy table as people see it: short, with --wide, and on terminals it doesn't fit."""

from pathlib import Path

import pytest

from locomo_assets.history.database import refresh
from locomo_assets.reporting.terminal.series import print_accuracy
from locomo_assets.reporting.terminal.table import Screen, print_left_out
from locomo_assets_tests.analysis.factories import HistoryBuilder
from locomo_assets_tests.reporting.terminal.screens import WIDTHS, pipe, terminal, text_of

WHOLE = """\
category       accuracy %  95 % interval  n scored  cost USD
1 multi-hop    75.00       0.0 – 100.0    8         0.0080
2 temporal     75.00       0.0 – 100.0    8         0.0080
3 open-domain  75.00       0.0 – 100.0    8         0.0080
4 single-hop   75.00       0.0 – 100.0    8         0.0080
5 adversarial  62.50       0.0 – 100.0    8         0.0080
all scored     75.00       0.0 – 100.0    32        0.0320
"""

WHOLE_WIDE = """\
category       vendor's name  questions  correct  scored  accuracy %  95 % interval  unscored  unanswered  not judged  errors %  p50 ms  p95 ms  cost USD
1 multi-hop    single-hop     8          6        8       75.00       0.0 – 100.0    0         0           0           0.00      108     115     0.0080
2 temporal     temporal       8          6        8       75.00       0.0 – 100.0    0         0           0           0.00      108     116     0.0080
3 open-domain  multi-hop      8          6        8       75.00       0.0 – 100.0    0         0           0           0.00      110     117     0.0080
4 single-hop   open-domain    8          6        8       75.00       0.0 – 100.0    0         0           0           0.00      110     118     0.0080
5 adversarial  adversarial    8          5        8       62.50       0.0 – 100.0    0         0           0           0.00      112     119     0.0080
all scored     overall        32         24       32      75.00       0.0 – 100.0    0         0           0           0.00      109     118     0.0320
"""  # noqa: E501  # as it stands on the terminal

FAILED = """\
category       accuracy %       95 % interval  n scored  bounds %     unscored  unanswered  errors %  cost USD
1 multi-hop    invalid (85.71)  0.0 – 100.0    7         75.0 – 87.5  1         0           12.50     0.0080
2 temporal     invalid (71.43)  0.0 – 100.0    7         62.5 – 75.0  0         1           12.50     0.0080
3 open-domain  invalid (75.00)  0.0 – 100.0    8         –            0         0           0.00      0.0080
4 single-hop   invalid (75.00)  0.0 – 100.0    8         –            0         0           0.00      0.0080
5 adversarial  invalid (75.00)  0.0 – 100.0    8         –            0         0           0.00      0.0080
all scored     invalid (76.67)  0.0 – 100.0    30        71.9 – 78.1  1         1           6.25      0.0320
"""  # noqa: E501  # as it stands on the terminal

FAILED_IN_ROWS = """\
row 1 of 6
category       1 multi-hop
accuracy %     invalid (85.71)
95 % interval  0.0 – 100.0
n scored       7
bounds %       75.0 – 87.5
unscored       1
unanswered     0
errors %       12.50
cost USD       0.0080

row 2 of 6
category       2 temporal
accuracy %     invalid (71.43)
95 % interval  0.0 – 100.0
n scored       7
bounds %       62.5 – 75.0
unscored       0
unanswered     1
errors %       12.50
cost USD       0.0080

row 3 of 6
category       3 open-domain
accuracy %     invalid (75.00)
95 % interval  0.0 – 100.0
n scored       8
bounds %       –
unscored       0
unanswered     0
errors %       0.00
cost USD       0.0080

row 4 of 6
category       4 single-hop
accuracy %     invalid (75.00)
95 % interval  0.0 – 100.0
n scored       8
bounds %       –
unscored       0
unanswered     0
errors %       0.00
cost USD       0.0080

row 5 of 6
category       5 adversarial
accuracy %     invalid (75.00)
95 % interval  0.0 – 100.0
n scored       8
bounds %       –
unscored       0
unanswered     0
errors %       0.00
cost USD       0.0080

row 6 of 6
category       all scored
accuracy %     invalid (76.67)
95 % interval  0.0 – 100.0
n scored       30
bounds %       71.9 – 78.1
unscored       1
unanswered     1
errors %       6.25
cost USD       0.0320
"""


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    history = HistoryBuilder(tmp_path_factory.mktemp("terminal"))
    history.dataset(["conv-1", "conv-2"], 20)
    history.measure("whole", {"conv-1": "+" * 9 + "-" * 11, "conv-2": "+" * 20})
    # One question is unanswered, one unscored.
    history.measure("failed", {"conv-1": "+!" + "+" * 9 + "-" * 9, "conv-2": "?" + "+" * 19})
    return refresh(history.store, history.database_path).path


def table(screen: Screen, database_path: Path, release: str) -> str:
    """What is printed below the line that names the release and above the notes."""
    print_accuracy(screen, database_path, release, max_error_percent=2.0)
    lines = text_of(screen).partition("\n\n95 % interval")[0].splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith(("category", "row 1")))
    return "\n".join([*lines[first:], ""])


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_not_zero_is_shown_at_every_width(database_path: Path, width: int) -> None:
    assert table(terminal(width), database_path, "whole") == WHOLE


@pytest.mark.parametrize(
    ("width", "shown"),
    [(60, FAILED_IN_ROWS), (80, FAILED_IN_ROWS), (100, FAILED_IN_ROWS), (170, FAILED)],
)
def test_a_missing_verdict_shows_in_columns_of_its_own(
    database_path: Path, width: int, shown: str
) -> None:
    assert table(terminal(width), database_path, "failed") == shown


def test_wide_shows_all(database_path: Path) -> None:
    assert table(terminal(170, wide=True), database_path, "whole") == WHOLE_WIDE
    narrow = table(terminal(100, wide=True), database_path, "whole")
    assert narrow.startswith("row 1 of 6\ncategory       1 multi-hop\nvendor's name  single-hop\n")


def test_a_pipe_gets_all(database_path: Path) -> None:
    assert table(pipe(), database_path, "whole") == WHOLE_WIDE


@pytest.mark.parametrize(
    ("width", "told"),
    [
        (
            60,
            "--wide also shows: vendor's name, questions, correct,\n"
            "unscored, unanswered, not judged, errors %, p50 ms, p95 ms.",
        ),
        (
            170,
            "--wide also shows: vendor's name, questions, correct, unscored, unanswered, "
            "not judged, errors %, p50 ms, p95 ms.",
        ),
    ],
)
def test_what_is_not_shown_is_said_once(database_path: Path, width: int, told: str) -> None:
    screen = terminal(width)
    for _ in range(2):
        print_accuracy(screen, database_path, "whole", max_error_percent=2.0)
    print_left_out(screen)
    assert text_of(screen).endswith(told)
    assert text_of(screen).count("--wide") == 1


def test_with_wide_nothing_is_left_out(database_path: Path) -> None:
    screen = terminal(60, wide=True)
    print_accuracy(screen, database_path, None, max_error_percent=2.0)
    print_left_out(screen)
    assert "--wide" not in text_of(screen)
