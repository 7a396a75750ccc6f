"""Where a data set comes from: a path, or a URL with a pinned hash.

Here: fetching the bytes and checking their SHA-256. What they mean is `parsing`.
"""

import hashlib
import ipaddress
from pathlib import Path

import httpx

from locomo_assets.locomo.errors import DatasetError
from locomo_assets.locomo.model import Dataset
from locomo_assets.locomo.parsing import parse_dataset

__all__ = ["parse_dataset", "read_dataset"]

_MAX_BYTES = 512 * 2**20
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


def read_dataset(source: str, expected_sha256: str | None = None) -> Dataset:
    """Read the data set at a path or an https URL.

    `expected_sha256` (hex) is compared with the file's own; a URL cannot be read without it.
    Raises DatasetError for whatever is not found, not as pinned, or not a LoCoMo file.
    """
    if "://" in source:
        name, data = _download(source, expected_sha256)
    else:
        name, data = source, _read(source)
    if expected_sha256 is not None:
        found = hashlib.sha256(data).hexdigest()
        if found != expected_sha256.strip().lower():
            raise DatasetError(
                f"data set {name}: its SHA-256 is {found}, not the expected {expected_sha256}; "
                "give the right file, or the hash of this one if you trust it"
            )
    return parse_dataset(data, name)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"data set {path}: there is no such file; check the path") from None
    except (OSError, ValueError) as error:
        cause = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise DatasetError(
            f"data set {path}: cannot be read ({cause}); give a readable file"
        ) from error


def _download(source: str, expected_sha256: str | None) -> tuple[str, bytes]:
    try:
        url = httpx.URL(source)
    except httpx.InvalidURL as error:
        raise DatasetError(f"data set URL cannot be read ({error}); check it") from None
    # The name is stored and printed, and credentials stand before the host or in the query.
    name = str(url.copy_with(username=None, password=None, query=None, fragment=None))
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.host)):
        raise DatasetError(f"data set {name}: only https URLs and paths are read; use one of these")
    if expected_sha256 is None:
        raise DatasetError(
            f"data set {name}: a URL needs a pinned SHA-256, since what it serves may change; "
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
                    raise DatasetError(
                        f"data set {name}: is larger than {_MAX_BYTES >> 20} MiB; check the URL"
                    )
    except httpx.HTTPStatusError as error:
        raise DatasetError(
            f"data set {name}: the server answered {error.response.status_code}; check the URL"
        ) from None
    except httpx.HTTPError as error:
        raise DatasetError(
            f"data set {name}: could not be fetched ({str(error) or type(error).__name__}); check "
            "the URL and the network, or download the file and give its path"
        ) from None
    return name, bytes(data)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
