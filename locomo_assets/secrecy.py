"""Keys out of whatever is told: servers repeat what they are sent, and logs repeat servers.

Here: hiding a key in a text, and all known ones in every log line of this process. Who has a key
calls both; nobody else knows one.
"""

import logging
from collections.abc import Mapping
from typing import Any

_HIDDEN = "***"
_keys: set[str] = set()


def hide(text: str, key: str) -> str:
    """The text without the key. To be called before a text is cut, or half a key would stay."""
    return text.replace(key, _HIDDEN)


def hide_everywhere(value: Any) -> Any:
    """A copy of plain data without any key that logs are kept free of; other objects as text."""
    if isinstance(value, str):
        for key in _keys:
            value = hide(value, key)
        return value
    if isinstance(value, Mapping):
        return {hide_everywhere(str(name)): hide_everywhere(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [hide_everywhere(one) for one in value]
    return value if isinstance(value, int | float | None) else hide_everywhere(str(value))


def hide_in_chain(error: BaseException, key: str) -> None:
    """Out of the texts of an error and of all that led to it: a traceback shows them too."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        link.args = tuple(hide(arg, key) if isinstance(arg, str) else arg for arg in link.args)
        link = link.__cause__ or link.__context__


def keep_out_of_logs(key: str) -> None:
    """From here on no log line of this process, of whatever library, holds the key."""
    if not _keys:
        _watch_logs()
    _keys.add(key)


def _watch_logs() -> None:
    made = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = made(*args, **kwargs)
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # Arguments that do not fit their text: told by the handler, but not with a key.
            text = f"{record.msg} {record.args}"
        if any(key in text for key in _keys):
            for key in _keys:
                text = hide(text, key)
            record.msg, record.args = text, None
        return record

    logging.setLogRecordFactory(make)
