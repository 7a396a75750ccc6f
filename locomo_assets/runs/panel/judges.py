"""The file that names a panel's judges: TOML, a table `[judges.NAME]` for each, and no key.

docs/judges.md has the schema.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from locomo_assets.bounded import SMALL_FILE_BYTES, UnusableBodyError, read_file
from locomo_assets.errors import LocomoError
from locomo_assets.judging.prompts import packaged_prompts
from locomo_assets.near_names import unknown_name

LEXICAL: Final = "lexical"
STORED: Final = "stored"
MODEL: Final = "model"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_MODEL_KEYS = ("model", "prompt", "base_url", "api_key_env", "votes", "max_tokens")


class PanelFileError(LocomoError):
    """The file of a panel can't be used; names file, place, cause and way out."""

    exit_code = 2


_Text = Annotated[str, Field(min_length=1)]


class PanelJudge(BaseModel):
    """One judge: a model with a prompt at a server, the lexical judge, or verdicts of the history.

    `prompt` is a packaged prompt's name or an absolute path. `judge` is a judge's name in the
    history, for verdicts that are there already, such as imported ones.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str
    kind: Literal["model", "lexical", "stored"] = MODEL
    model: _Text | None = None
    prompt: _Text = "generous"
    base_url: _Text | None = None
    api_key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "OPENAI_API_KEY"
    votes: Annotated[int, Field(ge=1)] = 1
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    judge: _Text | None = None

    @field_validator("votes")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"{value} votes can be a tie; take an odd number")
        return value


def read_judges(path: Path) -> list[PanelJudge]:
    """The judges of a file, in its order. Raises PanelFileError."""
    tables = _tables(path)
    if len(tables) < 2:
        named = "one judge" if tables else "no judge"
        raise PanelFileError(
            f"{path}: names {named}, and a panel has two or more; write a table [judges.NAME] "
            "for each (docs/judges.md)"
        )
    judges = [_judge(path, name, table) for name, table in tables.items()]
    seen: dict[PanelJudge, str] = {}
    for one in judges:
        same = one.model_copy(update={"name": ""})
        if same in seen:
            raise PanelFileError(
                f"{path}: judges.{one.name} and judges.{seen[same]} are the same judge; leave one "
                "out"
            )
        seen[same] = one.name
    return judges


def _tables(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(read_file(path, SMALL_FILE_BYTES).decode())
    except FileNotFoundError:
        raise PanelFileError(f"{path}: there is no such file; give a panel's TOML file") from None
    except OSError as error:
        raise PanelFileError(f"{path}: cannot be read ({error.strerror})") from None
    except UnusableBodyError as error:
        raise PanelFileError(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise PanelFileError(
            f"{path}: is not TOML ({' '.join(str(error).split())}); docs/judges.md has an example"
        ) from None
    for key in content:
        if key != "judges":
            raise PanelFileError(f"{path}: {key} is no key of it; {unknown_name(key, ['judges'])}")
    tables = content.get("judges", {})
    if not isinstance(tables, dict):
        raise PanelFileError(f"{path}: judges is no table; write [judges.NAME] for each judge")
    return tables


def _judge(path: Path, name: str, table: object) -> PanelJudge:
    place = f"{path}: judges.{name}"
    if not _NAME.fullmatch(name):
        raise PanelFileError(
            f"{place:.200}: a judge's name has 1 to 40 letters, digits, '.', '-' and '_'"
        )
    if not isinstance(table, dict):
        raise PanelFileError(f"{place} is no table; write [judges.{name}]")
    known = PanelJudge.model_fields.keys() - {"name"}
    for key in table:
        if key not in known:
            raise PanelFileError(f"{place}: {key} is no key of a judge; {unknown_name(key, known)}")
    try:
        judge = PanelJudge.model_validate({**table, "name": name})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise PanelFileError(f"{place}.{key}: {said}") from None
    _refuse_unfit(place, judge, table)
    return judge.model_copy(update={"prompt": _prompt(path, judge.prompt)})


def _refuse_unfit(place: str, judge: PanelJudge, table: Mapping[str, object]) -> None:
    """Keys that the kind has no use for, or lacks."""
    wanted = {MODEL: ("model",), LEXICAL: (), STORED: ("judge",)}[judge.kind]
    allowed = {"kind", *wanted, *(_MODEL_KEYS if judge.kind == MODEL else ())}
    for key in wanted:
        if key not in table:
            raise PanelFileError(f"{place}: lacks {key}, which a judge of kind {judge.kind} has")
    for key in table:
        if key not in allowed:
            raise PanelFileError(
                f"{place}: {key} means nothing to a judge of kind {judge.kind}; leave it out"
            )
    if "base_url" in table and "api_key_env" not in table:
        # Whoever wrote the file would else have one's key sent to a server of theirs.
        raise PanelFileError(
            f"{place}: has a base_url and no api_key_env; name the variable that holds the key of "
            "that server"
        )


def _prompt(path: Path, prompt: str) -> str:
    return prompt if prompt in packaged_prompts() else str(path.absolute().parent / prompt)
