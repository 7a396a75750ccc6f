"""Assistants that runs left at the service: which are ours, and deleting them.

Asking a person first belongs to `cli.operations.remote`.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.models import Assistant
from locomo_assets.http.errors import NotFoundError

# The published script names its assistants by the first four words alone; those are not ours.
_OURS = re.compile(
    r"LoCoMo Test Assistant [0-9a-f]{8} "
    r"(?:clone|(?P<conversation>[\w.-]+) (?P<release>[^\s|,*/\\\[\]]+)(?: clone)?)"
)


@dataclass(frozen=True, slots=True)
class OwnAssistant:
    """An assistant that a run made.

    `conversation` and `release` are None for a clone by version 0.1.0, whose name has neither.
    `created_at` is None if the service does not say.
    """

    assistant_id: str
    name: str
    conversation: str | None
    release: str | None
    created_at: datetime | None


def own_assistant(assistant: Assistant) -> OwnAssistant | None:
    """The assistant as ours, or None if its whole name is not one that runs give."""
    found = _OURS.fullmatch(assistant.name or "")
    if found is None or assistant.name is None:
        return None
    return OwnAssistant(
        assistant.assistant_id,
        assistant.name,
        found["conversation"],
        found["release"],
        assistant.created_at,
    )


def chosen(
    assistants: Iterable[OwnAssistant],
    now: datetime,
    *,
    older_than: timedelta | None = None,
    release: str | None = None,
    ids: Collection[str] | None = None,
) -> list[OwnAssistant]:
    """Those of a release and with one of the `ids` that are older than `older_than`, oldest first.

    One of unknown age is never older.
    """
    kept = [
        one
        for one in assistants
        if (release is None or one.release == release)
        and (ids is None or one.assistant_id in ids)
        and (
            older_than is None
            or (one.created_at is not None and now - one.created_at >= older_than)
        )
    ]
    return sorted(kept, key=lambda one: (one.created_at or now, one.name))


async def list_own(client: BackboardClient) -> list[OwnAssistant]:
    """All of the account's assistants that runs made."""
    listed = await client.list_assistants()
    return [own for own in map(own_assistant, listed) if own is not None]


async def delete_own(
    client: BackboardClient,
    assistants: Sequence[OwnAssistant],
    on_deleted: Callable[[OwnAssistant], None],
) -> None:
    """Delete them for good, one after the other; a missing one is no error.

    Each is looked up first: one that was renamed since it was listed is left alone.
    """
    for one in assistants:
        try:
            now = await client.get_assistant(one.assistant_id)
        except NotFoundError:
            continue
        if own_assistant(now) is not None:
            await client.delete_assistant(one.assistant_id)
            on_deleted(one)
