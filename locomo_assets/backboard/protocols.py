"""The names of the question protocols, and what each does with the memory.

Here alone, so that settings and analysis know them without the client.
"""

from collections.abc import Mapping
from typing import Literal

ProtocolName = Literal[
    "isolated", "published", "retrieval", "no-memory", "full-context", "evidence-only"
]
MemoryKind = Literal["lite", "pro"]

MEMORY_MODES: Mapping[ProtocolName, str] = {
    "isolated": "Readonly",
    "published": "Auto",
    "retrieval": "Readonly",
    "no-memory": "off",
    "full-context": "off",
    "evidence-only": "off",
}
"""Backboard's memory mode for the questions of each protocol."""

REFERENCE_PROTOCOLS = tuple(name for name, mode in MEMORY_MODES.items() if mode == "off")
"""Protocols without a memory, which a memory is compared with. In SQL: `is_reference`."""

_SEPARATOR = ", "


def protocol_label(name: str, differences: tuple[str, ...]) -> str:
    """The column `question_protocol`: the protocol, then what differs from the published one.

    A configuration of its own is so a series of its own: `isolated, memory pro, tok_k 20`.
    """
    return _SEPARATOR.join((name, *differences))


def protocol_name(label: str) -> str:
    """The protocol alone. In SQL: `protocol_name`."""
    return label.partition(_SEPARATOR)[0]


def is_variant(label: str) -> bool:
    """Whether the label names a difference from the published measurement. In SQL: `is_variant`.

    Beside a series without any, such a one is an experiment: it is never shown in its place.
    """
    return _SEPARATOR in label


def is_reference(label: str) -> bool:
    """Whether the label is of a protocol without a memory. In SQL: `is_reference`."""
    return protocol_name(label) in REFERENCE_PROTOCOLS
