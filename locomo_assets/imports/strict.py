"""JSON of others, read strictly, with errors that name the place.

Here: bytes → validated models. What the models are is each format's own.
"""

import json
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from locomo_assets.imports.results import ImportRefusedError


class StrictModel(BaseModel):
    """Nothing is converted, no field is passed over, no number is NaN."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


M = TypeVar("M", bound=StrictModel)


def decoded(data: bytes, where: str) -> str:
    """The text of a UTF-8 file. Raises ImportRefusedError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportRefusedError(
            f"{where}: byte {error.start} is not UTF-8; give the file as it was published"
        ) from None


def read_model(model: type[M], text: str, where: str) -> M:
    """One JSON object as a model. Raises ImportRefusedError, which begins with `where`."""
    try:
        content = json.loads(text, object_pairs_hook=_without_repeats)
        if "\\u" in text:
            json.dumps(content, ensure_ascii=False).encode()
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"])
        cause = f"{place.lstrip('.')}: {first['msg']}" if place else first["msg"]
        raise ImportRefusedError(f"{where}: {cause}; nothing was imported") from None
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}" if "\n" in text else f"sign {error.pos}"
        raise ImportRefusedError(
            f"{where}: is not JSON ({error.msg} at {at}); nothing was imported"
        ) from None
    except UnicodeEncodeError:
        raise ImportRefusedError(
            f"{where}: a text holds half a character (\\ud800 to \\udfff alone), which can't be "
            "stored; nothing was imported"
        ) from None
    except (ValueError, RecursionError) as error:
        cause = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ImportRefusedError(f"{where}: {cause}; nothing was imported") from None


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice}: the field stands there more than once")
    return found
