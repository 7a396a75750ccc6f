"""Command lines one after the other in one process, with every log at its most talkative.

`python -m … LOG_FILE` reads a JSON list of `{"arguments": […], "environment": {…}}` from stdin and
writes the exit codes as the last line of stdout.
"""

import json
import logging
import os
import sys
import traceback


def main() -> None:
    logging.basicConfig(filename=sys.argv[1], level=logging.DEBUG)
    for name in ("httpx", "httpcore", "httpx2", "httpcore2", "openai", "hpack", "asyncio"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    from locomo_assets.cli import main as command

    codes = []
    for one in json.load(sys.stdin):
        os.environ.update(one["environment"])
        sys.argv = ["locomo-assets", *one["arguments"]]
        try:
            command()
            codes.append(0)
        except SystemExit as end:
            codes.append(end.code if isinstance(end.code, int) else 1)
        except Exception:
            # LOCOMO_TRACEBACK shows it whole.
            traceback.print_exc()
            codes.append(1)
    print(json.dumps(codes))


if __name__ == "__main__":
    main()
