"""The oldest TLS version that a client accepts, and the message for an older one."""

import ssl
from typing import Literal

TlsVersion = Literal["1.2", "1.3"]

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_TOO_OLD = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE")


def require_tls(context: ssl.SSLContext, version: TlsVersion) -> ssl.SSLContext:
    """The context, from now on refusing any older version."""
    context.minimum_version = _VERSIONS[version]
    return context


def explain_old_tls(error: BaseException) -> str | None:
    """The cause and the way out if the other side's TLS is too old, else None."""
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
