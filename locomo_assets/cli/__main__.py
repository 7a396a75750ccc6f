"""The process of `locomo-assets`, and of `python -m locomo_assets.cli`: how it begins and ends.

What a command does belongs to the package, whose `main` others can call in their own process.
"""

import atexit
import gc
import logging
import os
import sys

from locomo_assets import cli


def main() -> None:
    """Runs the command line as all that this process does."""
    # Most objects are modules' and stay. Python looked through them for garbage every 700 new ones,
    # for a tenth of a run's processor time.
    gc.set_threshold(50_000)
    ends_with: list[int] = []
    atexit.register(_end_at_once, ends_with)  # the first, and so called after all others
    try:
        cli.main()
    except SystemExit as end:
        if isinstance(end.code, int):
            ends_with.append(end.code)
        raise


def _end_at_once(ends_with: list[int]) -> None:
    """Ends the process without taking every module apart, which takes a second after a run."""
    if not ends_with:
        return
    logging.shutdown()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return  # Python says so, and has an exit code for it
    os._exit(ends_with[0])


if __name__ == "__main__":
    main()
