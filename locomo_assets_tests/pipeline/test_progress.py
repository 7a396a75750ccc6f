"""A run's line says what is done of all, and at the pace of the last minutes how long is left."""

from locomo_assets.pipeline.progress import WINDOW_S, ProgressLine
from locomo_assets.runs.context import Counts

WHOLE = Counts(turns_to_do=5094, questions_to_do=200)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def line_at(clock: Clock) -> ProgressLine:
    return ProgressLine({"turns": 10.0, "questions": 10.0}, clock)


def test_totals_are_there_from_the_start_and_no_guess() -> None:
    assert line_at(Clock()).text(WHOLE) == "turns 0/5,094 · questions 0/200"


def test_what_is_not_to_be_done_is_left_out() -> None:
    counts = Counts(verdicts=1, verdicts_to_do=3, errors=2, retries=5, cost_usd=1.5)
    assert line_at(Clock()).text(counts) == "verdicts 1/3 · errors 2 · retries 5 · 1.50 USD"
    retried = Counts(verdicts=1, verdicts_to_do=3, retries=5)
    assert line_at(Clock()).text(retried) == "verdicts 1/3 · retries 5"


def test_time_left_is_by_the_pace_and_the_forecast() -> None:
    clock = Clock()
    line = line_at(clock)
    line.text(WHOLE)
    clock.now_s = 60.0
    # Of 20 forecast minutes 5 took one minute: 15 more take three.
    half = Counts(turns=2547, turns_to_do=5094, questions_to_do=200)
    assert line.text(half) == "turns 2,547/5,094 · questions 0/200 · about 3 min left"


def test_what_was_stored_already_is_soon_no_pace() -> None:
    clock = Clock()
    line = line_at(clock)
    line.text(WHOLE)
    ends = []
    for minute in range(1, 6):
        clock.now_s = 60.0 * minute
        counts = Counts(turns=5094, turns_to_do=5094, questions=2 * minute, questions_to_do=200)
        ends.append(line.text(counts).rpartition(" · ")[2])
    # The turns were there at once; then two questions a minute, and 190 are left.
    assert WINDOW_S < 300
    assert ends[0] == "about 1 min left"
    assert ends[-1] == "about 1.6 h left"


def test_nothing_is_guessed_while_nothing_moves_or_all_is_done() -> None:
    clock = Clock()
    line = line_at(clock)
    line.text(WHOLE)
    clock.now_s = 60.0
    assert line.text(WHOLE) == "turns 0/5,094 · questions 0/200"
    done = Counts(turns=5094, turns_to_do=5094, questions=200, questions_to_do=200)
    assert line.text(done) == "turns 5,094/5,094 · questions 200/200"


def test_the_last_seconds() -> None:
    clock = Clock()
    line = line_at(clock)
    line.text(WHOLE)
    clock.now_s = 60.0
    almost = Counts(turns=5000, turns_to_do=5094, questions=190, questions_to_do=200)
    assert line.text(almost).endswith("less than 1 min left")
