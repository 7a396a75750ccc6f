"""The root of the errors that people see; each room draws its own tree below it.

An error's text is one line that names the thing, the cause and the way out. The command line
prints that line after `prefix` and exits with `exit_code`.
"""


class LocomoError(Exception):
    """Something a person can put right. The text says what, why and how.

    The text never holds a key, a header or a request body.
    """

    exit_code = 1
    prefix = "error"
