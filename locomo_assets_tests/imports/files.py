"""Files of others, made of the packaged sample's questions."""

import json
from collections.abc import Callable
from typing import Any

from locomo_assets.locomo.model import Question
from locomo_assets.locomo.parsing import read_dataset
from locomo_assets.locomo.sample import packaged_sample

SAMPLE = read_dataset(packaged_sample())
TYPES = {1: "single_hop", 2: "temporal_reasoning", 3: "multi_hop", 4: "open_domain"}

Verdict = Callable[[Question], bool | None]


def scored(conversation: str) -> list[Question]:
    """The sample's questions that a published score is made of."""
    (found,) = (one for one in SAMPLE.conversations if one.conversation == conversation)
    return [question for question in found.questions if question.category != 5]


def all_correct(_question: Question) -> bool:
    return True


def section(responses: list[dict[str, Any]]) -> dict[str, Any]:
    """The sums of some responses, as the files state them."""
    judged = [one["evaluation"] or {"error": "not judged"} for one in responses]
    verdicts = [None if one["error"] else one["is_correct"] for one in judged]
    evaluated = [verdict for verdict in verdicts if verdict is not None]
    return {
        "total": len(responses),
        "evaluated_count": len(evaluated),
        "correct_count": sum(evaluated),
        "accuracy_percentage": 100.0 * sum(evaluated) / max(1, len(evaluated)),
        "responses": responses,
    }


def summed(conversation: str, responses: list[dict[str, Any]]) -> dict[str, Any]:
    """A whole file of these responses."""
    kinds = dict.fromkeys(one["question_type"] for one in responses)
    by_type = {
        kind: section([one for one in responses if one["question_type"] == kind]) for kind in kinds
    }
    return {"conversation_id": conversation, **section(responses), "by_type": by_type}


def responses_of(conversation: str, verdict: Verdict = all_correct) -> list[dict[str, Any]]:
    """A response to each scored question; a verdict of None is an error of the judge."""
    return [
        {
            "conversation_id": conversation,
            "question_type": TYPES[question.category],
            "category": question.category,
            "question": question.question,
            "expected_answer": question.gold_answer,
            "ai_response": f"answer {question.question_index}",
            "evaluation": {
                "is_correct": verdict(question),
                "reasoning": "so it is",
                "error": "timeout" if verdict(question) is None else None,
            },
        }
        for question in scored(conversation)
    ]


def published(verdict: Verdict = all_correct) -> list[tuple[str, bytes]]:
    """Names and bytes of a file for each conversation of the sample."""
    return [
        (
            f"locomo_conversation_{number}.json",
            encoded(summed(one.conversation, responses_of(one.conversation, verdict))),
        )
        for number, one in enumerate(SAMPLE.conversations, start=1)
    ]


def encoded(content: Any) -> bytes:
    return json.dumps(content).encode()


def line(**fields: Any) -> dict[str, Any]:
    """A valid line of the generic format; a field of ... is left out."""
    whole = {
        "conversation": "sample-1",
        "question_index": 0,
        "answer": "A canoe.",
        "model": "some-model",
        "judge": "some-judge",
        "verdict": "correct",
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def lines(*some: dict[str, Any]) -> bytes:
    return b"".join(encoded(one) + b"\n" for one in some)
