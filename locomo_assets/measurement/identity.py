"""Addresses by content: what an answer and a verdict depend on, as hashes.

Here: the hashes alone. Whoever finds a stored row with an equal hash need not pay for it again.
"""

import hashlib
import json
from collections.abc import Mapping


def fingerprint(parts: Mapping[str, object]) -> str:
    """SHA-256, in hexadecimal, of the parts as canonical JSON (order of keys does not matter)."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
