"""`sql -i`: a prompt that completes names and keeps what was typed."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer

from locomo_assets.cli.sql.output import Format, print_description, print_listing, print_result
from locomo_assets.errors import LocomoError
from locomo_assets.history import catalog, database
from locomo_assets.redaction import printable

HISTORY_FILE = "sql_history"
HELP = """\
SELECT …;         a statement may have several lines, and ends with a semicolon
.tables           the tables and views; `.tables all` lists every one
.describe NAME    the columns of one
.help             this list
.quit             ends, as Ctrl-D does
Tab completes names, the arrow keys bring back what was typed, Ctrl-C clears the line."""

_before_table = re.compile(r"\b(?:from|join|describe|summarize)\s+\w*$", re.IGNORECASE)
_of_table = re.compile(r"(\w+)\.\w*$")
_word = re.compile(r"\w*$")


class Prompt:
    """Reads statements from a terminal and prints their rows until it is told to end.

    Each statement reads the newest state of the history. An error is one line.
    """

    def __init__(self, database_path: Path, home: Path, format: Format, *, all_rows: bool) -> None:
        self.database_path = database_path
        self.home = home
        self.format = format
        self.all_rows = all_rows
        self.commands: Mapping[str, Callable[[str], None]] = {
            ".tables": self._tables,
            ".describe": self._describe,
            ".help": lambda _: print(HELP),
        }

    def run(self) -> None:
        """Returns at Ctrl-D or `.quit`."""
        names = catalog.entries(self.database_path)
        session: PromptSession[str] = PromptSession(
            history=_history(self.home),
            completer=SqlCompleter(names, self._keywords(), [*self.commands, ".quit"]),
            complete_while_typing=False,
            lexer=PygmentsLexer(SqlLexer),
            multiline=True,
            prompt_continuation="...> ",
            key_bindings=_keys(),
        )
        print(f"{self.database_path}, read-only; .help lists what else there is")
        # The prompt reads Ctrl-C as a key, and a query that runs has a handler of its own. An
        # exception anywhere else would leave DuckDB or the terminal half way. The prompt's own
        # handler stays off: a signal just before or after it runs makes it print a traceback.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            while self._goes_on(session):
                pass
        finally:
            signal.signal(signal.SIGINT, before)

    def _goes_on(self, session: PromptSession[str]) -> bool:
        try:
            text = session.prompt("sql> ", handle_sigint=False).strip()
            if text.rstrip("; ") in (".quit", ".exit"):
                return False
            self._answer(text)
        except KeyboardInterrupt:
            pass
        except EOFError:
            return False
        except LocomoError as error:
            print(printable(f"{error.prefix}: {error}"), file=sys.stderr)
        return True

    def _answer(self, text: str) -> None:
        if not text.startswith("."):
            for result in database.query_all(self.database_path, text, "SQL"):
                print_result(result, self.format, all_rows=self.all_rows)
            return
        name, _, argument = text.rstrip("; ").partition(" ")
        if name not in self.commands:
            raise LocomoError(f"{name}: no command; .help lists them")
        self.commands[name](argument.strip())

    def _tables(self, argument: str) -> None:
        entries = catalog.entries(self.database_path)
        print_listing(entries, self.format, all_tables=argument == "all", in_prompt=True)

    def _describe(self, argument: str) -> None:
        if not argument:
            raise LocomoError(".describe: name a table or view; .tables lists them")
        print_description(catalog.describe(self.database_path, argument), self.format)

    def _keywords(self) -> list[str]:
        _, rows = database.query(
            self.database_path,
            "SELECT keyword_name FROM duckdb_keywords() "
            "WHERE keyword_category IN ('reserved', 'type_function') ORDER BY ALL",
        )
        return [name for (name,) in rows]


class SqlCompleter(Completer):
    """Tables after FROM and JOIN, columns of the tables that are named, keywords, commands."""

    def __init__(
        self, entries: Sequence[catalog.Entry], keywords: Sequence[str], commands: Sequence[str]
    ) -> None:
        self.columns = {entry.name: entry.columns for entry in entries if entry.columns}
        self.names = sorted({entry.name for entry in entries})
        self.keywords = keywords
        self.commands = commands

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        before = document.text_before_cursor
        if before.lstrip().startswith("."):
            command, space, argument = before.lstrip().partition(" ")
            yield from _matching(argument if space else command,
                                 self.names if space else self.commands)  # fmt: skip
            return
        found = _word.search(before)
        word = found[0] if found else ""
        if _before_table.search(before):
            yield from _matching(word, self.names)
            return
        yield from _matching(word, self._columns(document.text, before))
        if not _of_table.search(before):
            yield from _matching(word, self.names)
            yield from _matching(
                word, [one.upper() if word.isupper() else one for one in self.keywords]
            )

    def _columns(self, text: str, before: str) -> list[str]:
        """Of the table before a point, else of all that the text names, else of any."""
        named = [name for name in re.findall(r"\w+", text) if name in self.columns]
        qualifier = _of_table.search(before)
        if qualifier and qualifier[1] in self.columns:
            named = [qualifier[1]]
        return sorted({column for name in named or self.columns for column in self.columns[name]})


def is_whole(text: str) -> bool:
    """Whether Enter ends the input: after a command, or a semicolon outside text and comments."""
    if not text.strip() or text.lstrip().startswith("."):
        return True
    tokens = [token for token in duckdb.tokenize(text) if token[1] != duckdb.token_type.comment]
    # It counts bytes, and where a text is not closed it is the last token.
    return bool(tokens) and text.encode()[tokens[-1][0] :].startswith(b";")


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None
        elif is_whole(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys


def _history(home: Path) -> History:
    # A prompt that only reads makes no folder.
    writable = home.is_dir() and os.access(home, os.W_OK)
    return FileHistory(home / HISTORY_FILE) if writable else InMemoryHistory()


def _matching(word: str, names: Iterable[str]) -> Iterable[Completion]:
    for name in names:
        if name.casefold().startswith(word.casefold()) and name != word:
            yield Completion(name, start_position=-len(word))
