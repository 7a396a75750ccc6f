"""Reading the data set's or an audit's file, from a path or a URL.

Reading is limited in size and time, and checked against a pinned SHA-256 if one is given.
"""

import hashlib
import ipaddress

import httpx

from locomo_assets.bounded import (
    DATASET_BYTES,
    GZIP_ONLY,
    UnusableBodyError,
    download_pieces,
    read_file,
)
from locomo_assets.errors import LocomoError
from locomo_assets.file_urls import FileUrlError, is_file_url, local_path
from locomo_assets.network import download_client
from locomo_assets.redaction import without_credentials

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


def read_bytes(
    source: str, expected_sha256: str | None, *, what: str, error: type[LocomoError]
) -> tuple[str, bytes]:
    """The name, without credentials, and the bytes of a file at a path, file or https URL.

    Raises `error` as `parsing.read_dataset` does, with messages that begin with `what`.
    """
    source = source.strip()
    if is_file_url(source):
        try:
            path = str(local_path(source))
        except FileUrlError as failure:
            raise error(f"{what}: {failure}") from None
        name, data = path, _read(path, what, error)
    elif "://" in source:
        name, data = _download(source, expected_sha256, what, error)
    else:
        name, data = source, _read(source, what, error)
    if expected_sha256 is not None:
        found = hashlib.sha256(data).hexdigest()
        if found != expected_sha256.strip().lower():
            raise error(
                f"{what} {name}: its SHA-256 is {found}, not the expected {expected_sha256}; "
                "give the right file, or the hash of this one if you trust it"
            )
    return name, data


def _read(path: str, what: str, error: type[LocomoError]) -> bytes:
    try:
        return read_file(path, DATASET_BYTES)
    except FileNotFoundError:
        raise error(f"{what} {path}: there is no such file; check the path") from None
    except UnusableBodyError as failure:
        raise error(f"{what} {path}: {failure}") from None
    except (OSError, ValueError) as failure:
        cause = (failure.strerror if isinstance(failure, OSError) else None) or str(failure)
        raise error(f"{what} {path}: cannot be read ({cause}); give a readable file") from failure


def _download(
    source: str, expected_sha256: str | None, what: str, error: type[LocomoError]
) -> tuple[str, bytes]:
    try:
        url = httpx.URL(source)
    except httpx.InvalidURL as failure:
        raise error(f"{what} URL cannot be read ({failure}); check it") from None
    # The name is stored and printed, so it must not hold credentials.
    name = without_credentials(str(url))
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host)):
        raise error(f"{what} {name}: only https URLs and paths are read; use one of these")
    if expected_sha256 is None:
        raise error(
            f"{what} {name}: a URL needs a pinned SHA-256, because its content may change; "
            "give the hash of the file you mean"
        )
    try:
        with (
            download_client(timeout=_TIMEOUT, follow_redirects=True, headers=GZIP_ONLY) as client,
            client.stream("GET", url) as response,
        ):
            response.raise_for_status()
            data = b"".join(download_pieces(response, DATASET_BYTES))
    except UnusableBodyError as failure:
        raise error(f"{what} {name}: {failure}") from None
    except httpx.HTTPStatusError as failure:
        raise error(
            f"{what} {name}: the server answered {failure.response.status_code}; check the URL"
        ) from None
    except httpx.HTTPError as failure:
        raise error(
            f"{what} {name}: could not be fetched ({str(failure) or type(failure).__name__}); "
            "check the URL and the network, or download the file and give its path"
        ) from None
    return name, data


def is_loopback(host: str | None) -> bool:
    """Whether the host is this machine."""
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
