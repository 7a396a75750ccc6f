"""Why a judge cannot work at all, as an error for people.

Here: the one error of this room. A single verdict that could not be had is no error but
`Verdict.UNSCORED`, with its reason.
"""

from locomo_assets.errors import LocomoError


class JudgeError(LocomoError):
    """No verdict can be had: the key is refused, the server is away, the prompt is unusable."""
