"""Answering from the memories in a prompt, with the wits of the stand-in's own model."""

import math
from collections.abc import Sequence

from starlette.exceptions import HTTPException

from locomo_assets.standin import retrieval
from locomo_assets.standin.answering.capability import capability_of
from locomo_assets.standin.answering.prompts import Prompt, read_prompt
from locomo_assets.standin.retrieval import SearchHit, build_index, top_hits
from locomo_assets.standin.service import Service

_UNMATCHED, _FIRST = 0.5, 5
"""What a memory without a word of the question counts, and how little the first places differ.

Chosen on four conversations of LoCoMo, so that the answers are as good as those of a message that
retrieves the same memories.
"""


def answered(texts: Sequence[str], model: str, service: Service) -> str:
    """The reply to a chat of these texts.

    Raises:
        HTTPException: 400, they hold neither memories nor a question.
    """
    prompt = read_prompt("\n\n".join(texts))
    if prompt is None:
        raise HTTPException(
            400, "the stand-in answers from memories: list them, or give a line `Question:`"
        )
    if service.faults.occurs("wordless", service.settings.wordless_share):
        return ""
    found = _weighed(prompt, service)
    return retrieval.answer(prompt.question, found, service.tokenizer, capability_of(model))


def _weighed(prompt: Prompt, service: Service) -> list[SearchHit]:
    """The memories, best first, by their words and by their places; none if none has a word."""
    index = build_index(prompt.memories, service.tokenizer)
    stems = service.tokenizer.stems(prompt.question)
    matching = top_hits(index, stems, len(prompt.memories))
    if not matching:
        return []
    share = {hit.memory.memory_id: hit.score / matching[0].score for hit in matching}
    weighed = [
        SearchHit(
            memory, (share.get(memory.memory_id, 0.0) + _UNMATCHED) / math.sqrt(place + _FIRST)
        )
        for place, memory in enumerate(prompt.memories)
    ]
    return sorted(weighed, key=lambda hit: -hit.score)
