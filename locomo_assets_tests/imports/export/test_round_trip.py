"""What is exported and imported is the same in every number, in another history or in its own."""

import json
from pathlib import Path
from typing import Any

import pytest

from locomo_assets.errors import LocomoError
from locomo_assets.imports.export.manifest import Manifest
from locomo_assets.imports.export.write import ExportError
from locomo_assets.imports.jsonl import parse_jsonl
from locomo_assets.imports.results import ImportRefusedError
from locomo_assets.locomo.model import Dataset
from locomo_assets.redaction import keep_out_of_logs
from locomo_assets_tests.imports.export.measured import LABEL, STRICT, History, measure
from locomo_assets_tests.imports.files import SAMPLE

CELLS = "SELECT * EXCLUDE (release) FROM accuracy_cells WHERE release = '{}' ORDER BY ALL"
ANSWERS = """SELECT * EXCLUDE (release, answer_id, ingestion_id, attempt_id, run_id, committed_at,
    retrieval_id) FROM current_answers WHERE release = '{}' ORDER BY ALL"""
PROMPTS = """SELECT DISTINCT question_protocol, prompt_name, prompt_sha256 FROM answers
    WHERE release = '{}' ORDER BY ALL"""
VERDICTS = """SELECT j.* EXCLUDE (release, judgement_id, answer_id, ingestion_id,
    judgement_attempt_id, answer_attempt_id, judgement_run_id, answer_run_id),
    judge_parameters_json, asked_by
    FROM current_judgements AS j JOIN (SELECT judgement_id, judge_parameters_json, asked_by
    FROM judgements) USING (judgement_id) WHERE release = '{}' ORDER BY ALL"""
MEMORIES = """SELECT conversation, question_index, question_protocol, rank, memory_id, memory, score
    FROM retrieved_memories JOIN (SELECT answer_id, question_protocol FROM current_answers
    WHERE release = '{0}') USING (answer_id) WHERE release = '{0}' ORDER BY ALL"""
EVERYTHING = (CELLS, ANSWERS, PROMPTS, VERDICTS, MEMORIES)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> History:
    history = History(tmp_path_factory.mktemp("measured") / "home")
    measure(history)
    return history


def lines(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text().split("\n")
        if line
    ]


def test_nothing_is_lost_with_the_gold_answers(measured: History, tmp_path: Path) -> None:
    folder = measured.export(tmp_path / "out", with_gold=True)
    other = History(tmp_path / "other")
    other.import_from(folder)
    measured.import_from(folder, "r1-again")
    # and what was imported is exported once more
    third = History(tmp_path / "third")
    third.import_from(other.export(tmp_path / "second", with_gold=True))
    for sql in EVERYTHING:
        expected = measured.rows(sql.format("r1"))
        assert expected
        assert other.rows(sql.format("r1")) == expected
        assert measured.rows(sql.format("r1-again")) == expected
        assert third.rows(sql.format("r1")) == expected


def test_without_gold_answers_the_numbers_are_the_same(measured: History, tmp_path: Path) -> None:
    folder = measured.export(tmp_path / "out")
    other = History(tmp_path / "other")
    other.import_from(folder)
    for sql in (CELLS, ANSWERS, PROMPTS, MEMORIES):
        assert other.rows(sql.format("r1")) == measured.rows(sql.format("r1"))
    told = lines(folder)
    assert not any({"question", "golden_answer", "corrected_gold_answer"} & one.keys()
                   for one in told)  # fmt: skip
    gold = {
        (one.conversation, question.question_index): question.gold_answer
        for one in SAMPLE.conversations
        for question in one.questions
    }
    left_out = [one for one in told if "reasoning_left_out" in one]
    assert left_out
    for one in told:
        said = f"The gold answer is {gold[one['conversation'], one['question_index']]}."
        assert said not in one.get("reasoning", "")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert sum(one["reasonings_left_out"] for one in manifest["results"]) == len(left_out)


def test_a_file_of_it_is_a_file_for_import_jsonl(measured: History, tmp_path: Path) -> None:
    folder = measured.export(tmp_path / "out")
    (path,) = [one for one in folder.glob("*.jsonl") if "memory" in one.name]
    results = parse_jsonl(
        path.name, path.read_bytes(), SAMPLE, system="standin", question_protocol=LABEL
    )
    assert results.unread == {}
    assert len(results.answers) == sum(len(one.questions) for one in SAMPLE.conversations)


def test_the_manifest_says_who_and_how(measured: History, tmp_path: Path) -> None:
    folder = measured.export(tmp_path / "out")
    manifest = Manifest.model_validate(json.loads((folder / "manifest.json").read_text()))
    (one,) = [each for each in manifest.results if each.question_protocol == LABEL]
    assert (one.release, one.system, one.imported) == ("r1", "standin", False)
    assert one.notes[0].startswith("stand-in: ")
    assert one.dataset_sha256 == SAMPLE.sha256
    assert one.options == ['{"memory":"pro"}']
    assert one.answer_prompts == [f"plain@{'5' * 64}"]
    assert one.models == ["google", "google/gemini-2.5-pro"]
    strict = one.series[1].judged_by
    assert (strict.judge, strict.prompt_name, strict.prompt_sha256) == (STRICT, "strict", "7" * 64)
    assert (strict.votes, strict.audit_sha256) == (3, "9" * 64)
    assert manifest.prices.usd_per_million_tokens.keys() == {"gemini-2.5-pro", "gpt-4.1"}
    assert {"python", "duckdb", "dagster", "openai"} < manifest.software.keys()
    headline = one.series[1].headline
    assert headline is not None
    ((questions, scored, correct, not_judged),) = measured.rows(
        "SELECT questions, scored, correct, not_judged FROM accuracy_by_release WHERE release = "
        f"'r1' AND question_protocol = '{LABEL}' AND judge = '{STRICT}'"
    )
    assert (headline.questions, headline.scored) == (questions, scored)
    assert (headline.correct, headline.not_judged) == (correct, not_judged)
    assert min(scored, correct, not_judged) > 0


def test_an_answer_that_nobody_judged_stays_so(tmp_path: Path) -> None:
    history, other = History(tmp_path / "one"), History(tmp_path / "other")
    measure(history, judged=False)
    folder = history.export(tmp_path / "out")
    assert all(one["not_judged"] for one in lines(folder))
    other.import_from(folder)
    expected = history.rows(CELLS.format("r1"))
    assert other.rows(CELLS.format("r1")) == expected
    assert expected[0][3] is None  # no judge


def test_a_key_is_in_no_file(measured: History, tmp_path: Path) -> None:
    keep_out_of_logs("So it is.")
    try:
        folder = measured.export(tmp_path / "out")
        assert b"So it is." not in b"".join(path.read_bytes() for path in folder.iterdir())
    finally:
        from locomo_assets import redaction

        redaction._keys = ()


def test_what_is_refused_leaves_nothing(measured: History, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"^release r9: no answers in the history"):
        measured.export(tmp_path / "out", release="r9")
    with pytest.raises(ExportError, match="give a folder in one that exists"):
        measured.export(tmp_path / "none" / "out")
    with pytest.raises(LocomoError, match="is no file; give the path of a private SSH key"):
        measured.export(tmp_path / "out", key=tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "out").mkdir()
    measured.export(tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(ExportError, match="is there already and not an empty folder"):
        measured.export(tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_place_that_can_not_be_written_is_named(measured: History, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"x: can't be written \(.+\); name a folder that can$"):
        measured.export(tmp_path / ("x" * 250))
    assert list(tmp_path.iterdir()) == []


def test_another_data_set_is_refused(measured: History, tmp_path: Path) -> None:
    from dataclasses import replace

    from locomo_assets.imports.export.read import read_export

    folder = measured.export(tmp_path / "out")
    other: Dataset = replace(SAMPLE, sha256="0" * 64)
    with pytest.raises(ImportRefusedError, match=r"was measured on the data set .* name the right"):
        read_export(folder, other)
