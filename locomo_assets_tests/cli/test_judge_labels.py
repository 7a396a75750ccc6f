"""`judge-labels import` as a person runs it, and what the report then says."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from locomo_assets.cli import imports, releases, report, sql
from locomo_assets.locomo.model import ADVERSARIAL
from locomo_assets_tests.imports.files import SAMPLE


def command(*arguments: str) -> str:
    """What a command prints; it must succeed."""
    app = typer.Typer()
    for module in (report, releases, sql, imports):
        module.register(app)
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.usefixtures("home")
def test_labels_are_matched_and_used(tmp_path: Path) -> None:
    scored = [
        {"conversation": one.conversation, "question_index": question.question_index}
        for one in SAMPLE.conversations
        for question in one.questions
        if question.category != ADVERSARIAL
    ]
    results = [
        {**one, "answer": f"Answer {n}.", "judge": "some-judge", "verdict": int(n % 4 > 0)}
        for n, one in enumerate(scored)
    ]
    results_file, file = tmp_path / "results.jsonl", tmp_path / "labels.jsonl"
    results_file.write_text("\n".join(map(json.dumps, results)))
    command("import", "jsonl", str(results_file), "--release", "vendor", "--system", "memo")

    # Right are those that the judge accepted, but for the one at 1.
    labels = [
        {**one, "answer": f"Answer  {n}. ", "label": "right" if n % 4 and n != 1 else "wrong"}
        for n, one in enumerate(scored)
    ]
    right = sum(one["label"] == "right" for one in labels)
    wrong = len(labels) - right
    unknown = {**labels[0], "answer": "What no system said.", "label": "right"}
    file.write_text("\n".join(map(json.dumps, [*labels, unknown])))
    output = command("judge-labels", "import", str(file), "--by", "Ann")
    said = f"{len(labels) + 1} labels ({right + 1} right, {wrong} wrong)"
    assert f"labels.jsonl: {said} imported" in output
    assert (
        f"judge some-judge: has judged {len(labels)} of these answers ({right} right, {wrong} "
        "wrong); its labels are used" in output
    )
    assert "1 of these answers have no verdict" in output
    assert "are there already" in command("judge-labels", "import", str(file), "--by", "Ann")

    shown = " ".join(command("report").split())
    assert "accuracy corrected for the judge's errors: " in shown
    assert f"by labels the judge accepts {right} of {right} right answers" in shown
    assert f"and 1 of {wrong} wrong ones" in shown
