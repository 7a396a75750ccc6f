"""`file:` URLs and the paths they stand for: decoded here, and nowhere else.

People write them by hand, so `#`, `?` and a lone `%` are letters of the path, and a line's end or
spaces around the URL do not count.
"""

import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

_file = re.compile(r"file:(?://(?P<host>[^/]*))?(?P<path>.*)", re.IGNORECASE | re.DOTALL)


class FileUrlError(ValueError):
    """A `file:` URL that names no absolute path on this machine. The text does not quote it."""


def is_file_url(url: str) -> bool:
    """Whether it begins with `file:`, in whatever case."""
    return _file.match(url.strip()) is not None


def path_of(url: str) -> Path | None:
    """The path of a `file:` URL, None of anything else.

    Raises:
        FileUrlError: it is of another machine or not absolute.
    """
    found = _file.match(url.strip())
    if found is None:
        return None
    path = os.fsdecode(unquote_to_bytes(found["path"]))
    local = (found["host"] or "").lower() in ("", "localhost")
    if not local or not path.startswith("/") or "\0" in path:
        raise FileUrlError("not an absolute file URL; write it as file:///folder")
    return Path(path)


def local_path(given: str | Path) -> Path:
    """The path that a `file:` URL or a plain path stands for. Raises FileUrlError."""
    return path_of(str(given)) or Path(given)


def normalized(url: str) -> str:
    """A URL in the one way in which this program writes it. Raises FileUrlError."""
    path = path_of(url)
    return url.strip() if path is None else path.as_uri()
