"""Secrets out of what leaves the machine: known keys and parts of them, and what looks like one.

Here: finding them in a text and in channels' URLs. Keeping keys out of logs and errors, where the
text stays on the machine, is `locomo_assets.secrecy`.
"""

import re
from collections.abc import Iterable
from itertools import groupby
from urllib.parse import unquote

from locomo_assets.secrecy import hide

_HIDDEN = "***"


def hide_all(text: str, keys: Iterable[str]) -> str:
    """For what leaves the machine: without these keys, parts of them, or what looks like one.

    A key that was cut before it came here is hidden too, where `_PART` characters of it are left.
    """
    for key in sorted(keys, key=len, reverse=True):
        text = _hide_parts(hide(text, key), key)
    for pattern, instead in _CREDENTIALS:
        text = pattern.sub(instead, text)
    return text


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
