"""Prompt files: a packaged one by its name, any other by its path; checked, identified, filled.

A prompt is identified by its name and its SHA-256, whose first eight digits serve as its version:
with a word changed, whoever asks with it is another one.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from locomo_assets.bounded import SMALL_FILE_BYTES, UnusableBodyError, read_file
from locomo_assets.errors import LocomoError


@dataclass(frozen=True, slots=True)
class PromptIdentity:
    """A prompt without its text; `sha256` is its file's."""

    name: str
    sha256: str

    @property
    def label(self) -> str:
        """Name and version, as in a judge's name: `generous@1a2b3c4d`."""
        return f"{self.name}@{self.sha256[:8]}"


@dataclass(frozen=True, slots=True)
class Prompt(PromptIdentity):
    """A user message with placeholders, such as {question}."""

    template: str

    def fill(self, **texts: str) -> str:
        """The message with each placeholder's text. Braces in the texts mean nothing."""
        placeholder = re.compile(r"\{(" + "|".join(texts) + r")\}")
        return placeholder.sub(lambda match: texts[match[1]], self.template)


@dataclass(frozen=True, slots=True)
class PromptKind:
    """Prompts for one purpose: `what` for messages, where packaged ones lie, what each must hold.

    `error` is raised where a prompt can't be used.
    """

    what: str
    folder: Path
    placeholders: Sequence[str]
    error: Callable[[str], LocomoError]

    def packaged(self) -> tuple[str, ...]:
        """The names of the packaged prompts."""
        return tuple(sorted(path.stem for path in self.folder.glob("*.txt")))

    def read(self, name_or_path: str) -> Prompt:
        """A packaged prompt by its name, or any file by its path."""
        is_packaged = name_or_path in self.packaged()
        path = self.folder / f"{name_or_path}.txt" if is_packaged else Path(name_or_path)
        named = f"{self.what} {name_or_path}"
        try:
            data = read_file(path, SMALL_FILE_BYTES)
            template = data.decode("utf-8-sig")
        except FileNotFoundError:
            packaged = ", ".join(self.packaged())
            choice = f"one of {packaged}" if len(self.packaged()) > 1 else packaged
            raise self.error(
                f"{named}: there is no such file; give its path, or {choice}"
            ) from None
        except UnusableBodyError as error:
            raise self.error(f"{named}: {error}") from None
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise self.error(f"{named}: cannot be read ({cause}); give a text file") from None
        wanted = [f"{{{name}}}" for name in self.placeholders]
        missing = [one for one in wanted if one not in template]
        if missing:
            raise self.error(
                f"{named}: lacks {', '.join(missing)}; a prompt has the placeholders "
                f"{', '.join(wanted[:-1])} and {wanted[-1]}"
            )
        return Prompt(path.stem, hashlib.sha256(data).hexdigest(), template)
