"""One answer that stands for many questions: most likely an error of the service, told as text.

Such a text is judged like any other answer, so only its repetition gives it away. To decline
again and again in the same words is no error.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.analysis.accuracy import Accuracy
from locomo_assets.history import database
from locomo_assets.locomo.declines import declines

# In 1,540 published answers no text stands for two questions; the stand-in repeats one three times.
_ALWAYS_ALLOWED, _ALLOWED_PERCENT = 3, 2.0

_SHOWN_CHARS = 80
_ID_CHARS = 8
_ID = re.compile(rf"(?=[\w-]*\d)(?=[\w-]*[a-z_])[\w-]{{{_ID_CHARS},}}")
"""A word of letters and digits, such as a request's id: the same error has another each time."""

_DIGIT = re.compile(r"\d")

_WAY_OUT = {
    True: "import them again without it",
    False: "`run --force` asks all questions again",
}
"""What to do about it, by whether the answers are imported."""

_SQL = Path(__file__).with_name("repeated_answers.sql")
_DOUBTFUL = Path(__file__).with_name("doubtful_answers.sql")
_ANSWERS_AT_ONCE = 10_000
_WORDS, _LOOKED_AT = 3, 24


@dataclass(frozen=True, slots=True)
class RepeatedAnswer:
    """The text that most questions share, of `answered` questions; `questions` is 0 without any."""

    text: str
    questions: int
    answered: int

    @property
    def percent(self) -> float:
        return 100.0 * self.questions / max(self.answered, 1)

    @property
    def allowed(self) -> float:
        """For how many questions one answer may stand."""
        return max(_ALWAYS_ALLOWED, self.answered * _ALLOWED_PERCENT / 100.0)

    @property
    def is_suspicious(self) -> bool:
        return self.questions > self.allowed

    def line(self) -> str:
        """What was found, in words."""
        if self.questions < 2:
            return f"each of {self.answered} answers stands for one question"
        shown = " ".join(self.text.split())
        if len(shown) > _SHOWN_CHARS:
            shown = f"{shown[:_SHOWN_CHARS]}…"
        return (
            f"one answer stands for {self.questions} questions ({self.percent:.1f} % of "
            f"{self.answered}): {shown!r}"
        )


def read_repeated_answer(database_path: Path, row: Accuracy) -> RepeatedAnswer:
    """The commonest answer of a series that does not decline."""
    parameters = {
        name: getattr(row, name)
        for name in ("release", "system", "question_protocol", "dataset_sha256")
    }
    with database.open_read_only(database_path) as connection:
        rows = connection.execute(_SQL.read_text(encoding="utf-8"), parameters).fetchall()
    return commonest_answer([answer for (answer,) in rows])


def commonest_answer(answers: Sequence[str]) -> RepeatedAnswer:
    """Of the answers that do not decline; texts that differ by white space or an id are one."""
    alike: dict[str, list[int]] = {}
    for place, answer in enumerate(answers):
        alike.setdefault(beginning(answer), []).append(place)
    commonest: list[int] = []
    # The rest of a text takes long to compare: only where there may be as many as were found.
    for places in sorted(alike.values(), key=len, reverse=True):
        if len(places) < len(commonest):
            break
        same: dict[str, list[int]] = {}
        for place in places:
            text = _lower(answers[place].split())
            if not declines(text):
                same.setdefault(without_ids(text), []).append(place)
        # Of as many, those that begin first.
        found = [commonest, *same.values()]
        commonest = max(found, key=lambda one: (len(one), -min(one, default=0)))
    text = answers[commonest[0]] if commonest else ""
    return RepeatedAnswer(text, len(commonest), len(answers))


def without_ids(text: str) -> str:
    """A text in lower case with a sign in the place of each id."""
    # Without a digit it holds none.
    return _ID.sub("…", text) if _DIGIT.search(text) else text


def _doubtful(database_path: Path, releases: Collection[str]) -> set[tuple[str, ...]]:
    """The series in which one answer may be suspicious: to compare beginnings is quick.

    The database compares the first word, and Python three of those answers that share it.
    """
    given = {
        "release": next(iter(releases)) if len(releases) == 1 else None,
        "always_allowed": _ALWAYS_ALLOWED,
        "allowed_percent": _ALLOWED_PERCENT,
    }
    beginnings: dict[tuple[tuple[str, ...], int], list[str]] = {}
    with database.open_read_only(database_path) as connection:
        found = connection.execute(_DOUBTFUL.read_text(encoding="utf-8"), given)
        while some := found.fetchmany(_ANSWERS_AT_ONCE):
            for *series, answered, answer in some:
                beginnings.setdefault((tuple(series), answered), []).append(beginning(answer))
    return {
        series
        for (series, answered), some in beginnings.items()
        if RepeatedAnswer("", max(Counter(some).values()), answered).is_suspicious
    }


def beginning(answer: str) -> str:
    """What is the same of answers that `commonest_answer` takes as one: their first words.

    Words that may hold an id, or the sign in its place, are passed over.
    """
    plain: list[str] = []
    for given in answer.split(None, _LOOKED_AT)[:_LOOKED_AT]:
        word = given.lower()
        if (len(word) < _ID_CHARS and "…" not in word) or word.isalpha():
            plain.append(word)
            if len(plain) == _WORDS:
                break
    return " ".join(plain).replace("’", "'")


def _lower(words: Iterable[str]) -> str:
    return " ".join(words).lower().replace("’", "'")


def repeated_answer_warnings(database_path: Path, rows: Iterable[Accuracy]) -> list[str]:
    """A line for each series that one answer is suspicious in, whoever judged it."""
    rows, found = [*rows], {}
    doubtful = _doubtful(database_path, {row.release for row in rows})
    for row in rows:
        key = (row.release, row.system, row.question_protocol, row.dataset_sha256)
        if key in doubtful and key not in found:
            found[key] = read_repeated_answer(database_path, row), _WAY_OUT[row.imported]
    return [
        f"warning: release {release} · system {system} · questions {protocol}: {one.line()}; if it "
        f"is an error of the service, {way_out}"
        for (release, system, protocol, _), (one, way_out) in found.items()
        if one.is_suspicious
    ]
