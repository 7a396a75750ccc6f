"""The root of the errors that people see; each room draws its own tree below it.

An error's text is one line that names the thing, the cause and the way out. The command line
prints that line after `prefix` and exits with `exit_code`.
"""

DONE, FAILED, IMPOSSIBLE, UNFORESEEN, STOPPED, UNREAD = 0, 1, 2, 70, 130, 141

EXIT_CODES = {
    DONE: "done",
    FAILED: "failed",
    IMPOSSIBLE: "what was asked for can't be",
    3: "measured, but not valid",
    4: "gate: worse",
    5: "gate: cannot tell",
    6: "gate: not equivalent",
    UNFORESEEN: "a fault of this program",
    75: "pending",
    STOPPED: "stopped",
    UNREAD: "nobody reads the output any more",
}
"""Every exit code of a command; docs/commands.md says more of each."""


class LocomoError(Exception):
    """Something a person can put right. The text says what, why and how.

    The text never holds a key, a header or a request body.
    """

    exit_code = FAILED
    prefix = "error"
