"""The root of the errors that people see.

Here: only the root. Each room draws its own tree below it, next to the code that raises it.

A `LocomoError`'s text is one line that names the thing, the cause and the way out; the command
line prints just that line after `prefix` and exits with `exit_code`.
"""


class LocomoError(Exception):
    """Something a person can put right. The text says what, why and how.

    The text never holds a key, a header or a request body.
    """

    exit_code = 1
    prefix = "error"
