"""What runs left behind at the service: which assistants are ours, and their removal.

Here: telling ours from others by name, choosing among them, deleting. The names are given by
`measurement.ingesting`; asking a person first is `cli.remote`.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from locomo_assets.backboard.client import BackboardClient
from locomo_assets.backboard.models import Assistant
from locomo_assets.http.errors import NotFoundError

# The published script's own assistants are called by the first four words alone: not ours.
_OURS = re.compile(
    r"LoCoMo Test Assistant [0-9a-f]{8} "
    r"(?:clone|(?P<conversation>[\w.-]+) (?P<release>[^\s|,*/\\\[\]]+)(?: clone)?)"
)


@dataclass(frozen=True, slots=True)
class OwnAssistant:
    """One that a run made. Clones by version 0.1.0 tell neither conversation nor release: None.

    `created_at` is None where the service does not say.
    """

    assistant_id: str
    name: str
    conversation: str | None
    release: str | None
    created_at: datetime | None


def own_assistant(assistant: Assistant) -> OwnAssistant | None:
    """The assistant as ours, or None where its whole name is not one that runs give."""
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
) -> list[OwnAssistant]:
    """Those of a release, made longer ago than `older_than`.

    One whose age is not known is never older. Oldest first.
    """
    kept = [
        one
        for one in assistants
        if (release is None or one.release == release)
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
    """Deletes them for good, one after the other; one that is gone already is no error.

    Each is looked up first: one that was given another name since it was listed is left alone.
    """
    for one in assistants:
        try:
            now = await client.get_assistant(one.assistant_id)
        except NotFoundError:
            continue
        if own_assistant(now) is not None:
            await client.delete_assistant(one.assistant_id)
            on_deleted(one)
