"""What all launch options have in common: one that can't be used fails in one line.

Dagster's launchpad knows types, and no bounds: those of a field are looked at when the step begins,
before anything is asked for.
"""

from typing import Annotated, Any

import dagster as dg
from pydantic import Field, ValidationError

Questions = Annotated[int, Field(ge=1)]
"""How many questions of each conversation; the bound of `--questions`."""


class LaunchConfig(dg.Config):
    """Launch options; values out of their bounds are a failure that is not tried again."""

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one['input']!r:.80}: {one['msg']}"
                if one["loc"]
                else str(one["msg"])
                for one in error.errors()
            )
            raise dg.Failure(
                f"launch options: {faults}; nothing was asked for, change them and launch again",
                allow_retries=False,
            ) from None
