"""A faulty stand-in in a process of its own: `python -m … STATE PORT_FILE`, until it is stopped."""

import sys
from pathlib import Path

from locomo_assets.standin.server import LOOPBACK, serve
from locomo_assets.standin.settings import StandinSettings

FAULTY = StandinSettings(
    seed=7,
    message_latency_ms=25.0,
    first_chunk_latency_ms=400.0,
    verdict_latency_ms=200.0,
    memory_delay_ms=50.0,
    memory_failed_share=0.03,
    rate_limited_share=0.05,
    retry_after_s=0,
    server_error_share=0.02,
    cut_stream_share=0.01,
    lost_answer_share=0.02,
)


def main(state: Path, port_file: Path) -> None:
    def ready(port: int) -> None:
        made = port_file.with_suffix(".tmp")
        made.write_text(str(port))
        made.rename(port_file)

    serve(LOOPBACK, 0, FAULTY, state, on_ready=ready)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
