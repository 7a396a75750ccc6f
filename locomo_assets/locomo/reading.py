"""Where a data set, or an audit of one, comes from: a path, or a URL with a pinned hash.

Here: fetching the bytes and checking their SHA-256. What they mean is `parsing` and `audit`.
"""

import hashlib
import ipaddress
from pathlib import Path

import httpx

from locomo_assets.errors import LocomoError
from locomo_assets.locomo.errors import DatasetError
from locomo_assets.locomo.model import Dataset
from locomo_assets.locomo.parsing import parse_dataset

__all__ = ["parse_dataset", "read_bytes", "read_dataset"]

_MAX_BYTES = 512 * 2**20
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


def read_dataset(source: str, expected_sha256: str | None = None) -> Dataset:
    """Read the data set at a path or an https URL.

    `expected_sha256` (hex) is compared with the file's own; a URL cannot be read without it.
    Raises DatasetError for whatever is not found, not as pinned, or not a LoCoMo file.
    """
    name, data = read_bytes(source, expected_sha256, what="data set", error=DatasetError)
    return parse_dataset(data, name)


def read_bytes(
    source: str, expected_sha256: str | None, *, what: str, error: type[LocomoError]
) -> tuple[str, bytes]:
    """A file's bytes, and its name without credentials, from a path or an https URL.

    Raises `error`, whose text begins with `what`, as `read_dataset` does.
    """
    if "://" in source:
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
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise error(f"{what} {path}: there is no such file; check the path") from None
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
    # The name is stored and printed, and credentials stand before the host or in the query.
    name = str(url.copy_with(username=None, password=None, query=None, fragment=None))
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.host)):
        raise error(f"{what} {name}: only https URLs and paths are read; use one of these")
    if expected_sha256 is None:
        raise error(
            f"{what} {name}: a URL needs a pinned SHA-256, since what it serves may change; "
            "give the hash of the file you mean"
        )
    data = bytearray()
    try:
        with (
            httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client,
            client.stream("GET", url) as response,
        ):
            response.raise_for_status()
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > _MAX_BYTES:
                    raise error(
                        f"{what} {name}: is larger than {_MAX_BYTES >> 20} MiB; check the URL"
                    )
    except httpx.HTTPStatusError as failure:
        raise error(
            f"{what} {name}: the server answered {failure.response.status_code}; check the URL"
        ) from None
    except httpx.HTTPError as failure:
        raise error(
            f"{what} {name}: could not be fetched ({str(failure) or type(failure).__name__}); "
            "check the URL and the network, or download the file and give its path"
        ) from None
    return name, bytes(data)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
