"""The names of the question protocols, and what each does with the memory.

Here alone, so that settings and analysis know them without the client.
"""

from collections.abc import Mapping
from typing import Literal

ProtocolName = Literal["isolated", "published", "no-memory", "full-context", "evidence-only"]

MEMORY_MODES: Mapping[ProtocolName, str] = {
    "isolated": "Readonly",
    "published": "Auto",
    "no-memory": "off",
    "full-context": "off",
    "evidence-only": "off",
}
"""Backboard's memory mode for the questions of each protocol."""

REFERENCE_PROTOCOLS = tuple(name for name, mode in MEMORY_MODES.items() if mode == "off")
"""Protocols without a memory, which a memory is compared with. In SQL: `is_reference`."""
