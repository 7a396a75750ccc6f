"""Keys out of whatever is told: servers repeat what they are sent, and logs repeat servers.

Hides registered keys in what is received, an exception chain, and every log line of this process,
and those that it is given in an alert. Takes control characters out of what a terminal shows.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import groupby
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

_HIDDEN = "***"
_keys: tuple[str, ...] = ()
"""Registered keys, the longest first: a key within another must not leave the other's rest."""

# A shorter key is a word that answers may hold, and changed answers would change the measurement.
_SHORTEST_IN_ANSWERS = 8


def keep_out_of_logs(key: str) -> None:
    """Registers a key: from here on no log line and no answer that is received holds it."""
    global _keys  # noqa: PLW0603  # logs are the whole process's
    if not _keys:
        _watch_logs()
    _keys = tuple(sorted({*_keys, key}, key=lambda one: (-len(one), one)))


def hide_keys(text: str, *, shortest: int = 1) -> str:
    """The text without registered keys, also where they are written with JSON's escapes.

    To be called before a text is cut, or half a key would stay.
    """
    for key in _keys:
        if len(key) < shortest:
            break
        text = text.replace(key, _HIDDEN)
        if "\\" in text:
            sign, escaped = _escaped(key)
            if sign.search(text):
                text = escaped.sub(_HIDDEN, text)
    return text


def hide_in_answer(text: str) -> str:
    """A text that a server sent, as it may be stored; a text of ours, to compare it with one."""
    return hide_keys(text, shortest=_SHORTEST_IN_ANSWERS)


def hide_in_body(raw: bytes) -> bytes:
    """The bytes of a whole answer, likewise. JSON stays JSON, as a key is always within a text."""
    text = raw.decode("utf-8", "surrogateescape")
    hidden = hide_in_answer(text)
    return raw if hidden == text else hidden.encode("utf-8", "surrogateescape")


@cache
def _escaped(key: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What a text must hold for the key to be escaped in it, and the key with any escapes."""
    sign = r"\\u00[2-7]" + (r"|\\[\"\\/]" if set(key) & set('"\\/') else "")
    each = (rf"(?:\\*{re.escape(one)}|\\+u(?i:{ord(one):04x}))" for one in key)
    return re.compile(sign), re.compile("".join(each))


def hide_everywhere(value: Any) -> Any:
    """A copy of plain data without any registered key; other objects as text."""
    if isinstance(value, str):
        return hide_keys(value)
    if isinstance(value, Mapping):
        return {hide_everywhere(str(name)): hide_everywhere(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [hide_everywhere(one) for one in value]
    return value if isinstance(value, int | float | None) else hide_everywhere(str(value))


def hide_in_chain(error: BaseException) -> None:
    """Out of the texts of an error and of all that led to it: a traceback shows them too."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        link.args = tuple(hide_keys(arg) if isinstance(arg, str) else arg for arg in link.args)
        link = link.__cause__ or link.__context__


def _watch_logs() -> None:
    made = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = made(*args, **kwargs)
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # Arguments that do not fit their text: told by the handler, but not with a key.
            text = f"{record.msg} {record.args}"
        hidden = hide_keys(text)
        if hidden != text:
            record.msg, record.args = hidden, None
        return record

    logging.setLogRecordFactory(make)


_CONTROLS = {
    code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
}


def printable(text: str) -> str:
    """The text for a terminal: a service's words may hold escape sequences, which it would obey."""
    return text.translate(_CONTROLS)


def hide_all(text: str, keys: Iterable[str]) -> str:
    """For what leaves the machine: without these keys, parts of them, or what looks like one.

    A key that was cut before it came here is hidden too, where `_PART` characters of it are left.
    """
    for key in sorted(keys, key=len, reverse=True):
        text = _hide_parts(text.replace(key, _HIDDEN), key)
    for pattern, instead in _CREDENTIALS:
        text = pattern.sub(instead, text)
    return text


def without_credentials(url: str) -> str:
    """The URL as it may be shown and stored; credentials stand before the host or in the query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def secrets_in_url(url: str) -> set[str]:
    """What must not be told of a URL that holds tokens: itself, its password, its tokens."""
    found = {url, *re.findall(r"://[^:/@\s]*:([^@/\s]+)@", url)}
    for piece in re.split(r"[:/@?&=,;#\s]+", url):
        if len(piece) >= _TOKEN or (len(piece) >= _PART and re.search(r"\d", piece)):
            found |= set() if "." in piece else {piece}
    return found | {unquote(one) for one in found}


_PART = 8
_TOKEN = 16
_CREDENTIALS = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"\b([a-zA-Z][a-zA-Z0-9+.-]{0,20}://)[^\s/@]+@", rf"\1{_HIDDEN}@"),
        (r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}", rf"\1 {_HIDDEN}"),
        (
            r"(?i)((?:api[_-]?key|token|secret|password|passwd|signature|credential)[\w-]{0,20}[\"']?"
            r"\s*[=:]\s*[\"']?)(?!\d+\b)[^\s\"'&,;*]{4,}",
            rf"\1{_HIDDEN}",
        ),
        (r"(?i)([?&](?:key|sig|code)=)[^\s\"'&]+", rf"\1{_HIDDEN}"),
        (r"\b(?:sk|pk|rk|bbk|gh[pousr]|xox[abeoprs])[-_][\w-]{12,}", _HIDDEN),
        (r"\bA(?:KIA|SIA)[0-9A-Z]{16}\b", _HIDDEN),
    )
)


def _hide_parts(text: str, key: str) -> str:
    if len(key) <= _PART or re.match(r"[a-z+]+://", key):
        return text
    starts = range(len(key) - _PART + 1)
    parts = {key[start : start + _PART] for start in starts}
    covered = [False] * len(text)
    for at in range(len(text) - _PART + 1):
        if text[at : at + _PART] in parts:
            covered[at : at + _PART] = [True] * _PART
    pieces = zip(text, covered, strict=True)
    return "".join(
        _HIDDEN if is_hidden else "".join(character for character, _ in its)
        for is_hidden, its in groupby(pieces, key=lambda one: one[1])
    )
