"""How far the lexical judge agrees with published verdicts: `python bench/lexical.py DIR`.

DIR holds the ten published files (`locomo_conversation_1.json` …). Prints the table that
docs/judges.md shows. The rules were tuned on the conversations of odd position, so the even ones
say what to expect of answers that it was not made for.
"""

import json
import sys
from pathlib import Path

from locomo_assets.analysis.agreement import agreement
from locomo_assets.judging.lexical import LexicalJudge, compare

NUMBERS = range(1, 11)


def pairs_of(folder: Path, number: int) -> list[tuple[bool, bool]]:
    """(published verdict is correct, the lexical judge's is) of each answer of a file."""
    file = json.loads((folder / f"locomo_conversation_{number}.json").read_text())
    answers = [one for kind in file["by_type"].values() for one in kind["responses"]]
    return [
        (
            bool(one["evaluation"]["is_correct"]),
            compare(one["question"], str(one["expected_answer"]), one["ai_response"])[0],
        )
        for one in answers
    ]


def table(folder: Path) -> str:
    """Markdown: a row for the odd, the even and all conversations."""
    of_number = {number: pairs_of(folder, number) for number in NUMBERS}
    lines = [
        f"| {LexicalJudge().identity.name} against GPT-4.1 | answers | agreement | Cohen's kappa "
        "| balanced accuracy | too generous | too strict |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, numbers in (
        ("odd conversations (tuned on)", NUMBERS[::2]),
        ("even conversations", NUMBERS[1::2]),
        ("all", NUMBERS),
    ):
        found = agreement([pair for number in numbers for pair in of_number[number]])
        lines.append(
            f"| {name} | {found.answers:,} | {found.agreement:.3f} | {found.kappa:.3f} | "
            f"{found.balanced_accuracy:.3f} | {found.only_b_correct} | {found.only_a_correct} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
