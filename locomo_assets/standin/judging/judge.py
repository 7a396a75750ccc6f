"""The judge: its verdict depends on the share of common words.

It imports nothing of the project's judging, so that neither depends on the other. Its call is in
`completions`.
"""

import json
import re
from dataclasses import dataclass

from locomo_assets.standin.retrieval import Tokenizer

_NEEDED_SHARE = 0.5
_LABEL = r"^[^\S\n]*{}:"
_INSTRUCTION = re.compile(r"\b(?:CORRECT|WRONG|JSON|label|reasoning)\b")


@dataclass(frozen=True, slots=True)
class Case:
    """What a judge prompt asks about."""

    question: str
    gold_answer: str
    generated_answer: str


def read_case(prompt: str) -> Case | None:
    """The three values of a judge prompt, or None if one is missing.

    They follow the last lines that begin with `Question:`, `Gold answer:` and `Generated answer:`,
    in this order, and may span lines. Paragraphs of instructions after the generated answer are
    not part of it.
    """
    rest, generated = _split_last(prompt, "Generated answer")
    rest, gold = _split_last(rest, "Gold answer")
    _, question = _split_last(rest, "Question")
    if question is None or gold is None or generated is None:
        return None
    paragraphs = re.split(r"\n\s*\n", generated)
    while len(paragraphs) > 1 and _INSTRUCTION.search(paragraphs[-1]):
        paragraphs.pop()
    return Case(question.strip(), gold.strip(), "\n\n".join(paragraphs).strip())


def verdict(case: Case, tokenizer: Tokenizer) -> tuple[bool, str]:
    """Whether the generated answer has half of the gold answer's words, and the reasoning."""
    wanted = set(tokenizer.stems(case.gold_answer)) or set(case.gold_answer.lower().split())
    given = set(tokenizer.stems(case.generated_answer)) or set(
        case.generated_answer.lower().split()
    )
    common = wanted & given
    correct = bool(wanted) and len(common) >= _NEEDED_SHARE * len(wanted)
    return correct, (
        f"The generated answer has {len(common)} of the gold answer's {len(wanted)} words."
    )


def reply(case: Case, tokenizer: Tokenizer) -> str:
    """The verdict as the JSON that a judge prompt asks for."""
    correct, reasoning = verdict(case, tokenizer)
    return json.dumps({"reasoning": reasoning, "label": "CORRECT" if correct else "WRONG"})


def _split_last(text: str, label: str) -> tuple[str, str | None]:
    """The text before the last line with this label, and the value after the label."""
    starts = list(re.finditer(_LABEL.format(label), text, re.MULTILINE | re.IGNORECASE))
    if not starts:
        return text, None
    return text[: starts[-1].start()], text[starts[-1].end() :]
