"""How old a TLS version may be that the clients speak.

Here: that bound on an SSL context, and telling a handshake that failed by it. Which versions may
be chosen is a setting (`LOCOMO_MIN_TLS`).
"""

import ssl
from typing import Literal

TlsVersion = Literal["1.2", "1.3"]

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_TOO_OLD = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE")


def at_least(context: ssl.SSLContext, version: TlsVersion) -> ssl.SSLContext:
    """The context, which from now on speaks no older version."""
    context.minimum_version = _VERSIONS[version]
    return context


def too_old(error: BaseException) -> str | None:
    """What to tell of a failure that a server's or a proxy's old TLS caused; None for others."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLError) and any(
            reason in (inner.reason or "") for reason in _TOO_OLD
        ):
            return (
                "it, or a proxy before it, speaks no TLS version as new as LOCOMO_MIN_TLS; set "
                "that to 1.2 if you trust it all the same"
            )
        inner = inner.__cause__ or inner.__context__
    return None
