"""How a judge's name says that it was given an audit's gold answers.

Here: making and taking apart that name. Who gives the answers is `measurement.gold`.
"""

_CORRECTED = ", gold corrected@"


def on_corrected_gold(judge: str, audit_sha256: str) -> str:
    """`gpt-4.1/generous@1a2b3c4d, gold corrected@5e6f7a8b`, by the hash of the audit's file."""
    return f"{judge}{_CORRECTED}{audit_sha256[:8]}"


def judge_alone(judge: str) -> str:
    """The judge of such a name, whatever gold answers it was given."""
    return judge.partition(_CORRECTED)[0]
