"""Which process this is, and whether another one is dead.

Here: names of machines and processes that hold over restarts, and the proof that a process is
gone. What is done about it is `lease` (its partition is free) and `pipeline.launcher` (its run
has failed).
"""

import os
from pathlib import Path


def machine() -> str | None:
    """This boot of this machine, and its process numbers' namespace; None where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def process(pid: int) -> str | None:
    """A process of this machine by number and start, which tells it from a later one of its number.

    None if there is none, or one that is dead and not yet buried. OSError where that can't be
    seen, which is no proof of anything.
    """
    try:
        # The name in parentheses may hold anything, so count from behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else f"{pid}@{fields[19]}"


def this_process() -> str:
    """As `process`, or the number alone where the start is not known."""
    try:
        return process(os.getpid()) or str(os.getpid())
    except OSError:
        return str(os.getpid())


def pid_of(name: str) -> int:
    """The number in a process's name."""
    return int(name.partition("@")[0])


def is_gone(machine_name: str | None, process_name: str) -> bool:
    """Whether a process is dead for certain; False for one that can't be seen from here."""
    if machine_name is None or machine_name != machine():
        return False
    try:
        found = process(pid_of(process_name))
    except OSError:
        return False
    return found is None or ("@" in process_name and found != process_name)
