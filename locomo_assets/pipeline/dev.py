"""`make dev`: the Dagster UI and daemon over the local instance, from any folder."""

import argparse
import errno
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx

from locomo_assets.errors import LocomoError
from locomo_assets.redaction import printable
from locomo_assets.settings import Settings, read_settings

WORKSPACE = Path(__file__).with_name("local_workspace.yaml")


class PortError(LocomoError):
    """The UI can't listen where it was told to."""

    exit_code = 2


def main() -> None:
    """Becomes `dg dev`; further arguments go to it (`--port 3001`)."""
    arguments = sys.argv[1:]
    try:
        settings = read_settings()
        if "--help" not in arguments:
            check_port(arguments)
        from locomo_assets.pipeline.launch import prepare_home

        os.environ["DAGSTER_HOME"] = str(prepare_home(settings.home))
    except (LocomoError, OSError) as error:
        sys.stderr.write(f"{printable(f'error: {error}')}\n")
        sys.exit(error.exit_code if isinstance(error, LocomoError) else 1)
    if settings.history is None and not (settings.home / "history").exists():
        sys.stderr.write(
            f"Nothing is measured in {printable(str(settings.home))} yet: "
            f"`{_typed('make run', 'locomo-assets run')}` measures the sample.\n"
        )
    # A new process: DuckDB, which is loaded here by now, would complain at its end.
    command = [sys.executable, "-c", f"from {__spec__.name} import serve; serve()"]
    os.execv(sys.executable, [*command, "dev", *_options(settings), *arguments])  # noqa: S606  # no shell is wanted


def serve() -> None:
    """`dg`, without the warning that the clone's dagster.yaml, a deployment's, is not read.

    It is not meant to be. The folder can't be left instead: settings may name files in it.
    """
    from dagster_dg_cli.cli import ENV_PREFIX, cli

    unread = "Found a dagster instance configuration value"
    logging.getLogger("dagster").addFilter(lambda record: unread not in record.getMessage())
    cli(prog_name="dg", auto_envvar_prefix=ENV_PREFIX)


def check_port(arguments: Sequence[str]) -> None:
    """Raises `PortError` where `dg dev` with these arguments could not listen.

    Without `--port` it would take any other port, and say so only among its log.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--port", "-p", default="3000")
    parser.add_argument("--host", "-h", default="127.0.0.1")
    known, _ = parser.parse_known_args(arguments)
    if not (known.port.isdecimal() and 1 <= int(known.port) <= 65535):
        raise PortError(f"port {known.port!r:.40} is none; give a number from 1 to 65535")
    host, port = known.host, int(known.port)
    try:
        _listen(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            by = "another Dagster UI" if _is_dagster(host, port) else "another program"
            cause = f"is taken by {by}; end it, or use another port"
        else:
            cause = f"can't be used ({os.strerror(error.errno or 0)}); use another"
        command = _typed("make dev PORT={}", "python -m locomo_assets.pipeline.dev --port {}")
        raise PortError(
            f"port {port} on {host} {cause}: {command.format(_free_port(port))}"
        ) from None


def _options(settings: Settings) -> list[str]:
    options = ["--workspace", str(WORKSPACE)]
    if settings.log_format == "json":
        options += ["--log-format", "json"]
    return options


def _listen(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()


def _free_port(taken: int) -> int:
    for port in range(max(taken, 3000) + 1, 65536):
        try:
            _listen("127.0.0.1", port)
        except OSError:
            continue
        return port
    return 3000


def _is_dagster(host: str, port: int) -> bool:
    try:
        answer = httpx.get(f"http://{host}:{port}/server_info", timeout=1, trust_env=False)
        return "dagster_webserver_version" in answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError):
        return False


def _typed(with_make: str, without: str) -> str:
    """A command as who reads it would type it."""
    return with_make if "MAKELEVEL" in os.environ else without


if __name__ == "__main__":
    main()
