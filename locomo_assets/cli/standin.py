"""`standin`: the offline Backboard, judge and answering model as a server of its own."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class MemoryForm(StrEnum):
    """What a turn becomes: itself, or 0 to n facts."""

    verbatim = "verbatim"
    extracted = "extracted"


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(standin)


def standin(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0: any free one.")] = 8765,
    state: Annotated[Path, typer.Option(help="Its database file.")] = Path(
        ".locomo/standin.sqlite"
    ),
    latency_ms: Annotated[float, typer.Option(help="Added to every turn and first chunk.")] = 0.0,
    memory_delay_ms: Annotated[float, typer.Option(help="How long memories take to form.")] = 0.0,
    rate_limited_share: Annotated[float, typer.Option(help="Share answered with 429.")] = 0.0,
    server_error_share: Annotated[float, typer.Option(help="Share answered with 5xx.")] = 0.0,
    cut_stream_share: Annotated[float, typer.Option(help="Share of streams cut short.")] = 0.0,
    lost_answer_share: Annotated[float, typer.Option(help="Share done but not answered.")] = 0.0,
    refused_after_share: Annotated[float, typer.Option(help="POSTs done, but refused.")] = 0.0,
    late_share: Annotated[float, typer.Option(help="POSTs refused, and done later.")] = 0.0,
    late_s: Annotated[tuple[float, float], typer.Option(help="How late.")] = (0.2, 70.0),
    run_failed_share: Annotated[float, typer.Option(help="Share of runs that fail.")] = 0.0,
    wordless_share: Annotated[float, typer.Option(help="Replies without words.")] = 0.0,
    memory_form: Annotated[MemoryForm, typer.Option(help="What a turn becomes.")] = (
        MemoryForm.verbatim
    ),
    operations_without_ids: Annotated[
        bool, typer.Option("--operations-without-ids", help="Operations name no memories.")
    ] = False,
    memory_failed_share: Annotated[float, typer.Option(help="Memories that fail.")] = 0.0,
    memory_stuck_share: Annotated[float, typer.Option(help="Memories that never form.")] = 0.0,
    batch_delay_ms: Annotated[float, typer.Option(help="How long batches of verdicts take.")] = 0.0,
    batch_failed_share: Annotated[float, typer.Option(help="Batches that fail.")] = 0.0,
    batch_expired_share: Annotated[float, typer.Option(help="Batches that expire halfway.")] = 0.0,
    batch_request_failed_share: Annotated[float, typer.Option(help="Of a batch's requests.")] = 0.0,
    max_in_flight: Annotated[int | None, typer.Option(help="More at once: 429.")] = None,
    requests_per_second: Annotated[float | None, typer.Option(help="More: 429.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random faults.")] = 0,
) -> None:
    """Serve the stand-in: the same wire protocol, no key of yours, no cost.

    Below /api the memory service, Lite and Pro; below /v1 a judge and an answering model.
    docs/standin.md says what it invents.
    """
    from locomo_assets.standin.server import serve
    from locomo_assets.standin.settings import DEFAULT_KEY, StandinSettings

    settings = StandinSettings(
        seed=seed,
        message_latency_ms=latency_ms,
        first_chunk_latency_ms=latency_ms,
        memory_delay_ms=memory_delay_ms,
        rate_limited_share=rate_limited_share,
        server_error_share=server_error_share,
        cut_stream_share=cut_stream_share,
        lost_answer_share=lost_answer_share,
        refused_after_share=refused_after_share,
        late_share=late_share,
        late_s=late_s,
        run_failed_share=run_failed_share,
        wordless_share=wordless_share,
        memory_form=memory_form.value,
        operations_without_ids=operations_without_ids,
        memory_failed_share=memory_failed_share,
        memory_stuck_share=memory_stuck_share,
        batch_delay_ms=batch_delay_ms,
        batch_failed_share=batch_failed_share,
        batch_expired_share=batch_expired_share,
        batch_request_failed_share=batch_request_failed_share,
        max_in_flight=max_in_flight,
        requests_per_second=requests_per_second,
    )
    state.parent.mkdir(parents=True, exist_ok=True)

    def ready(port: int) -> None:
        root = f"http://{host}:{port}"
        print(f"export BACKBOARD_BASE_URL={root}/api BACKBOARD_API_KEY={DEFAULT_KEY}", flush=True)
        print(f"export OPENAI_BASE_URL={root}/v1 OPENAI_API_KEY={DEFAULT_KEY}", flush=True)

    serve(host, port, settings, state, on_ready=ready)
