"""The text of alerts: short, and without a secret."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from locomo_assets.redaction import hide_all, secrets_in_url
from locomo_assets.reporting.alerts.formatter import Formatter, normalize_cause
from locomo_assets.reporting.alerts.model import CheckOutcome, EndedRun, Incident
from locomo_assets_tests.secrets.searching import BACKBOARD_KEY, OPENAI_KEY, PLANTED, holds_a_key

INCIDENT = Incident("run_failed", "r1", datetime(2026, 11, 24, tzinfo=UTC), ())


def run(error: str) -> EndedRun:
    outcome = CheckOutcome("accuracy", "r1", False, error, error)
    planned = frozenset(f"answers of conv-{n}|r1" for n in range(10))
    return EndedRun("0f3c9a7e", "r1", error, planned, frozenset(), (outcome,))


def test_a_failed_run_in_a_few_lines() -> None:
    title, text = Formatter().run_failed(INCIDENT, run("backboard said:\n  402 no credit"))
    assert title == "LoCoMo r1: run failed"
    assert text.splitlines()[-1].startswith("Dagster run 0f3c9a7e (LOCOMO_UI_URL")
    assert "conv-5|r1 and 4 more." in text


def test_a_check_of_a_release_ends_with_its_summary_without_keys() -> None:
    told = run("61 %")
    lines = {"r1": ("Accuracy of r1: 61.00 %", f"judge {OPENAI_KEY}"), "r2": ("another",)}
    formatter = Formatter(ui_url="https://ui.example.org", secrets=PLANTED)
    clean = formatter.redact(replace(told, summaries=lines))
    _, text = formatter.check_failed(INCIDENT, clean, clean.checks[0])
    assert text.splitlines() == [
        "Expected: 61 %.",
        "Found: 61 %.",
        "Accuracy of r1: 61.00 %",
        "judge ***",
        "https://ui.example.org/runs/0f3c9a7e",
    ]


@pytest.mark.parametrize("lead", ["", "x" * 595, "x" * 589 + " "])
def test_no_key_is_sent_or_stored(lead: str) -> None:
    formatter = Formatter(secrets=PLANTED)
    said = f"{lead}{BACKBOARD_KEY} and {OPENAI_KEY[:14]} sent this {BACKBOARD_KEY[9:]}"
    clean = formatter.redact(run(said))
    assert not holds_a_key(repr(clean))
    assert not holds_a_key(repr(formatter.run_failed(INCIDENT, clean)))
    assert not holds_a_key(repr(formatter.check_failed(INCIDENT, clean, clean.checks[0])))
    assert len(clean.error or "") <= 600


@pytest.mark.parametrize(
    ("said", "hidden"),
    [
        ("connect to postgresql://locomo:Swordfish@db/locomo failed", "Swordfish"),
        ("Authorization: Bearer abcDEF123456.xyz refused", "abcDEF123456"),
        ("https://host/x?key=abcdefgh&y=1", "abcdefgh"),
        ('{"api_key": "abcdefgh"}', "abcdefgh"),
        ("aws_secret_access_key=Zm9vYmFyYmF6 is wrong", "Zm9vYmFyYmF6"),
        ("sk-proj-0123456789abcdefgh", "0123456789"),
        ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_too(said: str, hidden: str) -> None:
    assert hidden not in hide_all(said, ())


def test_what_does_not_stays() -> None:
    said = (
        "1 of 2 conversations failed: sample-1 at ingested_memories: the service counts 59 of 60 "
        "messages; input tokens: 40231; see http://127.0.0.1:3000/runs/1"
    )
    assert hide_all(said, PLANTED) == said


def test_tokens_of_channel_urls() -> None:
    slack = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#evaluation"
    assert "TIiajkdnlazkcOXrIdevi7FQ" in secrets_in_url(slack)
    assert "evaluation" not in secrets_in_url(slack)
    mail = "mailtos://ops:pass%20word@mail.example.org?to=team@example.org"
    found = secrets_in_url(mail)
    assert {"pass%20word", "pass word"} <= found
    assert "mail.example.org" not in found


def test_causes_differ_by_words_only() -> None:
    assert normalize_cause("conv-26: 3 of 10 in 4.5 s") == normalize_cause(
        "conv-3: 10 of 12 in 7 s"
    )
    assert normalize_cause("run 0f3c9a7e-11aa-4c1d-9d6e-aaaaaaaaaaaa died") == normalize_cause(
        "run 99aabbcc-0000-4c1d-9d6e-bbbbbbbbbbbb died"
    )
    assert normalize_cause("the key was refused") != normalize_cause("no answer")
