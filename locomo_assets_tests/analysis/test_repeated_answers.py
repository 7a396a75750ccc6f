"""One answer for many questions: told from answers that decline, and from mere coincidence."""

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locomo_assets.analysis import repeated_answers
from locomo_assets.analysis.accuracy import by_release
from locomo_assets.analysis.repeated_answers import (
    RepeatedAnswer,
    beginning,
    commonest_answer,
    read_repeated_answer,
    repeated_answer_warnings,
    without_ids,
)
from locomo_assets.history.database import refresh
from locomo_assets.locomo.declines import declines
from locomo_assets_tests.analysis.factories import HistoryBuilder

ERROR = "The model is overloaded, please try again later."
DIFFERENT = [f"Answer number {word}" for word in ("one", "two", "three", "four", "five", "six")]


ID = st.from_regex(r"[a-z0-9_-]{6,10}", fullmatch=True)
WORD = st.one_of(st.sampled_from(["It’s", "it's", "…", "Öl", "K", "İ", "No", "7", "(a1)"]), ID)
BETWEEN = st.sampled_from([" ", "\u00a0", "\n ", "\x85", "-", ", "])


def told_apart(answer: str, other: str) -> bool:
    """Whether they are two by their whole texts."""
    return whole_text(answer) != whole_text(other)


def whole_text(answer: str) -> str:
    return without_ids(" ".join(answer.split()).lower().replace("’", "'"))


def variants_of(parts: list[tuple[str, str]], others: list[str]) -> list[str]:
    """Answers that may be one with that of these words and what is between them."""
    answer = "".join(word + between for word, between in parts)
    return [
        answer.upper(),
        answer.replace("’", "'").replace("\u00a0", "  "),
        "".join((new if re.search(r"\d", word) else word) + between
                for (word, between), new in zip(parts, others, strict=False)),
        "".join(("…" if re.search(r"\d", word) else word) + between for word, between in parts),
    ]  # fmt: skip


PARTS = st.lists(st.tuples(WORD, BETWEEN), max_size=5)
OTHERS = st.lists(ID, min_size=5, max_size=5)


@given(PARTS, OTHERS)
def test_answers_that_are_one_begin_alike(parts: list[tuple[str, str]], others: list[str]) -> None:
    answer = "".join(word + between for word, between in parts)
    for other in variants_of(parts, others):
        assert told_apart(answer, other) or beginning(answer) == beginning(other)


def that_share_a_first_word(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of which the database takes it as possible that both are one."""
    columns = ("release", "system", "question_protocol", "dataset_sha256", "answer", "outcome")
    given = {"release": None, "always_allowed": 1, "allowed_percent": 2.0}
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE current_answers ({' VARCHAR, '.join(columns)} VARCHAR)")
        connection.execute(
            "INSERT INTO current_answers "
            "SELECT unnest(range(len($1))), NULL, 'isolated', 'd', unnest($1), 'answered' "
            "UNION ALL "
            "SELECT unnest(range(len($2))), NULL, 'isolated', 'd', unnest($2), 'answered'",
            [[one for one, _ in pairs], [other for _, other in pairs]],
        )
        found = connection.execute(repeated_answers._DOUBTFUL.read_text("utf-8"), given).fetchall()
    return [pairs[place] for place in sorted({int(row[0]) for row in found})]


def test_answers_that_are_one_have_the_same_first_word() -> None:
    pairs: list[tuple[str, str]] = []

    @given(PARTS, OTHERS)
    def collect(parts: list[tuple[str, str]], others: list[str]) -> None:
        answer = "".join(word + between for word, between in parts)
        variants = variants_of(parts, others)
        pairs.extend((answer, one) for one in variants if not told_apart(answer, one))

    collect()
    assert len(pairs) > 10
    assert that_share_a_first_word(pairs) == pairs


def test_signs_that_become_ascii_are_ascii_in_a_first_word() -> None:
    pairs = [("\N{KELVIN SIGN}ate sang", "kate sang"), ("I’m Nate", "i'm Nate")]
    assert not any(told_apart(*pair) for pair in pairs)
    assert that_share_a_first_word(pairs) == pairs


def test_white_space_is_python_s() -> None:
    spaces = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]
    pairs = [("Yes it is", f"{one}Yes{one}is it") for one in spaces]
    assert that_share_a_first_word([*pairs, ("Yes it is", "Yes\u200bit is")]) == pairs


@pytest.mark.parametrize(
    "texts",
    [
        [ERROR] * 4,
        [ERROR, f" {ERROR}\n", ERROR.upper(), ERROR.replace(" ", "  ")],
        [f"Error 529 (request req_{number}f3a91bc)" for number in range(4)],
        [f"Failed: 3f2b8c1{n}-7d4e-4f6a-9b1c-5e8d7a6f4c2{n}" for n in range(4)],
    ],
)
def test_one_error_in_many_answers_is_found(texts: list[str]) -> None:
    found = commonest_answer([*DIFFERENT, *texts])
    assert (found.questions, found.answered, found.percent) == (4, 10, 40.0)
    assert found.text == texts[0]
    assert found.is_suspicious


@pytest.mark.parametrize(
    "texts",
    [
        ["I don't know."] * 4,
        ["I don’t know."] * 4,
        ["No information available."] * 4,
        ["This is not mentioned in the conversation."] * 4,
        ["on 7 May 2023", "on 8 May 2023", "on 9 May 2023", "on 10 May 2023"],
        ["2023-05-07", "2023-05-08", "2023-05-09", "2023-05-10"],
        ["Yes"] * 3,
    ],
)
def test_declining_dates_and_coincidence_are_no_error(texts: list[str]) -> None:
    assert not commonest_answer([*DIFFERENT, *texts]).is_suspicious


@pytest.mark.parametrize(
    ("questions", "answered", "suspicious"),
    [(3, 3, False), (4, 4, True), (4, 150, True), (30, 1540, False), (31, 1540, True)],
)
def test_how_many_are_too_many(questions: int, answered: int, suspicious: bool) -> None:
    assert RepeatedAnswer("x", questions, answered).is_suspicious is suspicious


@given(st.lists(st.sampled_from([*DIFFERENT, ERROR, ERROR.upper(), "I don't know.", "", "Öl 7"])))
def test_it_is_the_first_of_the_most_among_whole_texts(answers: list[str]) -> None:
    texts = [text for text in map(whole_text, answers) if not declines(text)]
    found = commonest_answer(answers)
    assert found.answered == len(answers)
    assert found.questions == max(map(texts.count, texts), default=0)
    if texts:
        assert whole_text(found.text) == max(dict.fromkeys(texts), key=texts.count)


def test_nothing_answered_or_all_declined() -> None:
    for answers in ([], ["I don't know."]):
        found = commonest_answer(answers)
        assert (found.questions, found.answered, found.is_suspicious) == (0, len(answers), False)


def test_each_series_by_itself_and_told_once(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1", "conv-2"], 5)
    history.measure("r1", {"conv-1": "+++++", "conv-2": "-----"}, answer=ERROR)
    history.judge_again("r1", "conv-2", "+++++", "other")
    history.measure("r1", {"conv-1": "+++++"}, question_protocol="published")
    history.measure("r2", {"conv-1": "+++++"})
    refresh(history.store, history.database_path)
    rows = by_release(history.database_path, None, max_error_percent=2.0)
    found = {
        (row.release, row.question_protocol): read_repeated_answer(history.database_path, row)
        for row in rows
    }
    assert found["r1", "isolated"] == RepeatedAnswer(ERROR, 10, 10)
    assert found["r1", "published"].questions == found["r2", "isolated"].questions == 1
    (line,) = repeated_answer_warnings(history.database_path, rows)
    assert line.startswith(
        "warning: release r1 · system standin · questions isolated: one answer stands for 10 "
        "questions (100.0 % of 10)"
    )
    elsewhere = [replace(row, system="unknown") for row in rows]
    assert repeated_answer_warnings(history.database_path, elsewhere) == []


def test_verdicts_without_answers_repeat_none(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1"], 5)
    history.measure("r1", {"conv-1": "+++++"}, answer=None)
    refresh(history.store, history.database_path)
    (row,) = by_release(history.database_path, None, max_error_percent=2.0)
    assert read_repeated_answer(history.database_path, row) == RepeatedAnswer("", 0, 0)


def test_imported_answers_are_not_asked_again(tmp_path: Path) -> None:
    history = HistoryBuilder(tmp_path)
    history.dataset(["conv-1"], 5)
    history.measure("r1", {"conv-1": "+++++"}, answer=ERROR)
    refresh(history.store, history.database_path)
    (row,) = by_release(history.database_path, None, max_error_percent=2.0)
    (measured,) = repeated_answer_warnings(history.database_path, [row])
    (imported,) = repeated_answer_warnings(history.database_path, [replace(row, imported=True)])
    assert measured.endswith("`run --force` asks all questions again")
    assert imported.endswith("import them again without it")
