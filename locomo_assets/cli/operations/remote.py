"""`remote …`: the assistants that runs left at the memory service, listed and deleted."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from locomo_assets.cli.options import AllOption, WideOption
from locomo_assets.cli.shell import completion
from locomo_assets.cli.shell.place import nothing_measured
from locomo_assets.near_names import unknown_release
from locomo_assets.redaction import printable
from locomo_assets.reporting.terminal.table import (
    Screen,
    Short,
    console,
    print_left_out,
    print_table,
)
from locomo_assets.settings import read_settings

if TYPE_CHECKING:
    from locomo_assets.backboard.remote import OwnAssistant
    from locomo_assets.services import Services

_SHORT = Short(only_wide=("name",))

remote = typer.Typer(
    no_args_is_help=True,
    help="Show and delete the assistants that runs made at the memory service. Costs nothing.",
)

OlderThan = Annotated[
    int | None, typer.Option(min=0, metavar="DAYS", help="Only those older than that.")
]
Release = Annotated[
    str | None,
    typer.Option(
        help="Only those of this release; clones carry no release and are not included.",
        autocompletion=completion.releases,
    ),
]

Damaged = Annotated[
    bool,
    typer.Option(
        "--damaged", help="Only those that do not count: a message came twice, or a turn failed."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.add_typer(remote, name="remote")


def _services() -> "Services":
    from locomo_assets.services import Services

    settings = read_settings()
    if settings.backboard_api_key is None and not settings.standin_path.exists():
        # The packaged stand-in would be made here, to say that it has nothing.
        raise nothing_measured(settings)
    return Services(settings, creates_history=False)


async def _found(
    services: "Services", older_than: int | None, release: str | None, *, damaged: bool
) -> tuple[list["OwnAssistant"], str]:
    from locomo_assets.backboard.remote import chosen, list_own
    from locomo_assets.runs.damage import damaged_ingestions

    ids = None
    if damaged:
        marks = damaged_ingestions(services.store()).values()
        ids = {str(mark.extra["assistant_id"]) for mark in marks}
    async with services.client() as (client, base_url):
        own = await list_own(client)
    if release is not None and release not in (labels := [one.release or "" for one in own]):
        # No error: who deletes what is gone already has what was wanted.
        says = unknown_release(release, labels, "no assistants", "at the service")
        print(printable(f"note: {says}"), file=sys.stderr)
    age = None if older_than is None else timedelta(days=older_than)
    return chosen(own, datetime.now(UTC), older_than=age, release=release, ids=ids), base_url


async def _deleted(services: "Services", assistants: Sequence["OwnAssistant"]) -> int:
    from locomo_assets.backboard.remote import delete_own

    deleted: list[str] = []

    def report(one: "OwnAssistant") -> None:
        deleted.append(one.assistant_id)
        print(f"deleted {one.name} ({one.assistant_id})", flush=True)

    async with services.client() as (client, _):
        await delete_own(client, assistants, report)
    return len(deleted)


def _show(
    out: Screen, assistants: Sequence["OwnAssistant"], base_url: str, *, all_rows: bool = True
) -> None:
    rows = [
        (
            one.created_at and f"{one.created_at:%Y-%m-%d %H:%M}",
            one.release,
            one.conversation,
            one.name,
            one.assistant_id,
        )
        for one in assistants
    ]
    if rows:
        headings = ("made (UTC)", "release", "conversation", "name", "assistant")
        print_table(out, headings, rows, _SHORT, all_rows=all_rows)
    print(f"{len(rows)} assistants of ours at {base_url}", flush=True)
    print_left_out(out)


@remote.command("list")
def list_assistants(
    older_than: OlderThan = None,
    release: Release = None,
    damaged: Damaged = False,
    wide: WideOption = False,
    all_rows: AllOption = False,
) -> None:
    """List the assistants that runs left at the service. Costs nothing."""
    found, base_url = asyncio.run(_found(_services(), older_than, release, damaged=damaged))
    _show(console(wide=wide), found, base_url, all_rows=all_rows)


@remote.command("delete")
def delete_assistants(
    older_than: OlderThan = None,
    release: Release = None,
    damaged: Damaged = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete them for good, with their memories and threads; asks first. Costs nothing.

    Without --older-than, --release and --damaged: those older than LOCOMO_KEEP_ASSISTANTS_DAYS.
    Assistants that runs did not make are never deleted. Results stay in the history. More
    questions on a release whose assistant is deleted need a new ingestion (run --force).
    """
    services = _services()
    if older_than is None and release is None and not damaged:
        older_than = services.settings.keep_assistants_days
    found, base_url = asyncio.run(_found(services, older_than, release, damaged=damaged))
    _show(console(), found, base_url)
    if not found:
        return
    if not yes:
        typer.confirm(f"Delete these {len(found)} assistants for good?", abort=True)
    print(f"{asyncio.run(_deleted(services, found))} deleted")
