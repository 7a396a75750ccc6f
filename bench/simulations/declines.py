"""How often the rules for declines are right, on texts that were read and labelled.

No simulation: it reads the published answers and the data set at `LOCOMO_BENCH_DATA`, or beside
the repository. The labels (conversation, question, yes or no) are in `locomo_assets_tests`.
"""

import csv
import json
from dataclasses import dataclass
from functools import cache

from bench.simulations.page import markdown
from bench.simulations.shared_data import DATASET, PUBLISHED, REPOSITORY, present
from locomo_assets.locomo.declines import declines

LABELS = REPOSITORY / "locomo_assets_tests" / "locomo" / "declines.csv"


@dataclass(frozen=True)
class Count:
    """Of the texts that were read: declines, what the rules flag, and what is both."""

    texts: int
    declines: int
    flagged: int
    found: int
    unread_flagged: int = 0


def table() -> str:
    """Markdown: answers the rules were tuned on, others, and short texts."""
    tuned, held_out = measure_answers()
    rows = [
        _row("answers, odd conversations (tuned on)", tuned),
        _row("answers, even conversations (held out)", held_out),
        _row("gold answers and traps of the data set", measure_short_texts()),
    ]
    return markdown(["texts", "read", "declines", "found", "false", "precision", "recall"], rows)


def measure_answers() -> tuple[Count, Count]:
    """Those of the odd conversations, and those of the even ones, by their place in the files."""
    return _count_answers(range(1, 11, 2)), _count_answers(range(2, 11, 2))


def measure_short_texts() -> Count:
    """Gold answers and traps. Of those with a negative word, only two `Not mentioned` decline."""
    conversations = json.loads(present(DATASET).read_text())
    texts = [
        str(question[key])
        for conversation in conversations
        for question in conversation["qa"]
        for key in ("answer", "adversarial_answer")
        if key in question
    ]
    flagged = [text for text in texts if _flags(text)]
    wanted = [text for text in texts if text == "Not mentioned"]
    return Count(len(texts), len(wanted), len(flagged), sum(one in wanted for one in flagged))


def _count_answers(numbers: range) -> Count:
    labels = _labels()
    read, unread_flagged = [], 0
    for number in numbers:
        file = json.loads((present(PUBLISHED) / f"locomo_conversation_{number}.json").read_text())
        for index, response in enumerate(file["responses"]):
            label = labels.get((file["conversation_id"], index))
            flagged = _flags(response["ai_response"])
            if label is None:
                unread_flagged += flagged
            else:
                read.append((label, flagged))
    return Count(
        len(read),
        sum(label for label, _ in read),
        sum(flagged for _, flagged in read),
        sum(label and flagged for label, flagged in read),
        unread_flagged,
    )


@cache
def _labels() -> dict[tuple[str, int], bool]:
    with LABELS.open(newline="") as lines:
        return {
            (line["conversation"], int(line["question_index"])): line["declines"] == "yes"
            for line in csv.DictReader(lines)
        }


def _flags(text: str) -> bool:
    return declines(text.lower().replace("’", "'"))


def _row(name: str, count: Count) -> list[object]:
    return [
        name,
        f"{count.texts:,}",
        count.declines,
        count.found,
        count.flagged - count.found,
        _share(count.found, count.flagged),
        _share(count.found, count.declines),
    ]


def _share(part: int, whole: int) -> str:
    """With Wilson's interval of 95 %."""
    from scipy.stats import binomtest

    interval = binomtest(part, whole).proportion_ci(method="wilson")
    return f"{part / whole:.2f} ({interval.low:.2f}–{interval.high:.2f})"
