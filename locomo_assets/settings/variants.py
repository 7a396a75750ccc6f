"""Ladders: TOML files that name configurations, each as a difference from another one.

Reading and checking a file belongs here; docs/variants.md has its schema. A ladder changes one
thing a step, so that what each change is worth can be told.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from locomo_assets.bounded import SMALL_FILE_BYTES, UnusableBodyError, read_file
from locomo_assets.near_names import nearest
from locomo_assets.redaction import without_credentials
from locomo_assets.settings import Settings, SettingsError, read_settings
from locomo_assets.settings.configuration import Configuration

BASE = "base"
"""The name of the step that all others change."""

OF_JUDGE = (
    "judge_model",
    "judge_prompt",
    "judge_max_tokens",
    "judge_votes",
    "openai_base_url",
)
"""The settings that name another judge, and change nothing of the answers."""

_FOLDER = Path(__file__).with_name("ladders")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_STEP = 60
_OF_FILE = ("name", "description", "base", "step")
_OF_STEP = ("name", "from")
_KEYS = tuple(Configuration.model_fields)
_OF_RETRIEVAL = ("retrieval", "answer_")
_PATHS = ("extraction_prompt", "update_prompt", "system_prompt", "answer_prompt", "judge_prompt")


class LadderFileError(SettingsError):
    """A ladder can't be read, or says something that can't be measured."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A step: its whole `settings`, and what it changes against the step `parent`, in words.

    The base has no parent.
    """

    name: str
    parent: str | None
    changed: str
    settings: Settings = field(repr=False)

    def configuration(self) -> dict[str, Any]:
        """The settings that differ from the published measurement's; no key is among them."""
        return {
            name: _shown(value)
            for name, value in _values(self.settings).items()
            if value != Configuration.model_fields[name].default
        }


@dataclass(frozen=True, slots=True)
class Ladder:
    """A file's steps in their order, the base first; `sha256` is the file's."""

    name: str
    description: str
    sha256: str
    steps: tuple[Variant, ...]

    def digest(self) -> str:
        """SHA-256 of what is measured: the file, and what this environment makes of it."""
        told = [self.sha256, *({one.name: one.configuration()} for one in self.steps)]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def packaged_ladders() -> dict[str, str]:
    """The ladders that ship with the project: name → description."""
    files = sorted(_FOLDER.glob("*.toml"))
    return {path.stem: str(_read(path)[0].get("description", "")) for path in files}


def read_ladder(name_or_path: str) -> Ladder:
    """A packaged ladder by its name, or any file by its path.

    Raises LadderFileError, one line that names the file, the step and the key.
    """
    packaged = _FOLDER / f"{name_or_path}.toml"
    is_packaged = _NAME.fullmatch(name_or_path) is not None and packaged.is_file()
    path = packaged if is_packaged else Path(name_or_path)
    told, sha256 = _read(path)
    place = path.name
    _refuse_unknown(f"{place}", told, _OF_FILE)
    name, description = told.get("name", path.stem), told.get("description", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise LadderFileError(
            f"{place}, name: take letters, digits, dots, dashes and underscores, at most 64"
        )
    if not isinstance(description, str):
        raise LadderFileError(f"{place}, description: give a text")
    steps = told.get("step")
    if not isinstance(steps, list) or not steps:
        raise LadderFileError(f"{place}: has no [[step]]; a ladder is a base and at least one step")
    base = told.get("base", {})
    if not isinstance(base, dict):
        raise LadderFileError(f"{place}, base: write it as a table, [base]")
    return Ladder(name, description, sha256, tuple(_variants(path, base, steps)))


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        data = read_file(path, SMALL_FILE_BYTES)
        return tomllib.loads(data.decode("utf-8")), hashlib.sha256(data).hexdigest()
    except FileNotFoundError:
        near = nearest(path.name, [one.stem for one in _FOLDER.glob("*.toml")])
        hint = f"did you mean {near}?" if near else "`locomo-assets ladder --list` names those"
        raise LadderFileError(
            f"ladder {path}: there is no such file, and none ships by that name; {hint}"
        ) from None
    except UnusableBodyError as error:
        raise LadderFileError(f"ladder {path}: {error}") from None
    except OSError as error:
        raise LadderFileError(f"ladder {path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise LadderFileError(f"ladder {path}: it is no UTF-8 text; give a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise LadderFileError(f"ladder {path}: no TOML: {error}") from None


def _variants(path: Path, base: Mapping[str, Any], steps: Sequence[object]) -> list[Variant]:
    place = path.name
    changes: dict[str, dict[str, Any]] = {BASE: _changes(path, BASE, base)}
    settings = _settings(f"{place}, {BASE}", changes[BASE])
    made = [Variant(BASE, None, _words_of_base(settings), settings)]
    for number, step in enumerate(steps, 1):
        if not isinstance(step, dict):
            raise LadderFileError(f"{place}, step {number}: write it as a table, [[step]]")
        name = _step_name(place, number, step, changes)
        where = f"{place}, step {name}"
        parent = step.get("from", made[-1].name)
        if parent not in changes:
            raise LadderFileError(
                f"{where}, from: no step before it is called so; choose one of "
                + ", ".join(changes)
            )
        own = {key: value for key, value in step.items() if key not in _OF_STEP}
        changes[name] = {**changes[parent], **_changes(path, f"step {name}", own)}
        settings = _settings(where, changes[name])
        before = next(one for one in made if one.name == parent)
        changed = _difference(before.settings, settings)
        if not changed:
            raise LadderFileError(
                f"{where}: changes nothing against {parent}; set what differs, or leave it out"
            )
        for other in made:
            if _values(other.settings) == _values(settings):
                raise LadderFileError(
                    f"{where}: is the same configuration as {other.name}; leave one of them out"
                )
        made.append(Variant(name, parent, changed, settings))
    return made


def _step_name(
    place: str, number: int, step: Mapping[str, Any], taken: Mapping[str, object]
) -> str:
    name = step.get("name")
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise LadderFileError(f"{place}, step {number}, name: give each step a name, in one line")
    if len(name) > _LONGEST_STEP:
        raise LadderFileError(
            f"{place}, step {number}, name: is longer than {_LONGEST_STEP} letters; shorten it"
        )
    if name in taken:
        raise LadderFileError(f"{place}, step {number}, name: {name} is taken; choose another one")
    return name


def _changes(path: Path, where: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a table sets, its paths taken from the file's folder."""
    _refuse_unknown(f"{path.name}, {where}", told, _KEYS)
    for key, value in told.items():
        if isinstance(value, bool):  # which a number would take as 1 or 0
            raise LadderFileError(f"{path.name}, {where}, {key}: is true or false; give its value")
    return {
        key: _from_folder(path.parent, key, value) if key in _PATHS else value
        for key, value in told.items()
    }


def _from_folder(folder: Path, key: str, value: object) -> object:
    """A path in a ladder is relative to its file; a packaged prompt's name is no path."""
    if not isinstance(value, str):
        return value
    is_name = key in ("answer_prompt", "judge_prompt") and _is_bare(value)
    return value if is_name else str((folder / value).absolute())


def _is_bare(value: str) -> bool:
    return Path(value).name == value and not Path(value).suffix


def _refuse_unknown(where: str, told: Mapping[str, object], known: Sequence[str]) -> None:
    for key in told:
        if key in known:
            continue
        if key in Settings.model_fields:
            kind = "a key" if key.endswith("_given") else "no part of a configuration"
            raise LadderFileError(f"{where}, {key}: is {kind}; set it in the environment")
        if key.endswith(("api_key", "api_keys", "token", "secret")):
            raise LadderFileError(
                f"{where}, {key}: keys don't stand in a ladder; set them in the environment"
            )
        near = nearest(key, known)
        hint = f"did you mean {near}?" if near else "docs/variants.md lists what may be set"
        raise LadderFileError(f"{where}, {key}: there is no such key; {hint}")


def _settings(where: str, changes: Mapping[str, Any]) -> Settings:
    try:
        return read_settings(changes)
    except SettingsError as error:
        line = str(error)
    for key in changes:
        line = line.replace(f"{Configuration.model_fields[key].validation_alias}: ", f"{key}: ")
    raise LadderFileError(f"{where}, {line}")


def _values(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in _KEYS}


def _difference(before: Settings, after: Settings) -> str:
    """What differs, in words: `memory lite → pro`."""
    old, new = _values(before), _values(after)
    return "; ".join(
        f"{name} {_shown(old[name])} → {_shown(new[name])}"
        for name in _KEYS
        if old[name] != new[name]
    )


def _words_of_base(settings: Settings) -> str:
    defaults = {name: one.default for name, one in Configuration.model_fields.items()}
    is_retrieval = settings.question_protocol == "retrieval"
    words = [
        f"{name} {_shown(value)}"
        for name, value in _values(settings).items()
        if value != defaults[name] and (is_retrieval or not name.startswith(_OF_RETRIEVAL))
    ]
    return "; ".join(words) or "the published configuration, asked in isolation"


def _shown(value: object) -> Any:
    """As stored and shown: a path without the folders of this machine, a URL without its login."""
    if value is None:
        return "default"
    if isinstance(value, Path):
        return value.name
    if isinstance(value, str) and "://" in value:
        return without_credentials(value)
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name
    return value
