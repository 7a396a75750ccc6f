"""The text scores as a function that the lens's SQL calls while it is made.

Here: from columns to scores and back. What the scores are is `locomo.scoring`.
"""

from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from locomo_assets.locomo.scoring import abstention, exact_match, token_f1

if TYPE_CHECKING:
    _Column = pa.Array[Any]
else:  # generic in the stubs alone, and DuckDB looks at the annotations
    _Column = pa.Array
_SCORES = pa.struct(
    [("f1", pa.float64()), ("exact_match", pa.bool_()), ("abstention", pa.string())]
)


def register_text_scores(connection: duckdb.DuckDBPyConnection) -> None:
    """`text_scores(category, question, gold_answer, trap, answer)` → f1, exact_match, abstention.

    For this connection; each of the three is null where `locomo.scoring` says None, and all where
    there is no answer.
    """
    connection.create_function(
        "text_scores",
        _text_scores,
        ["INTEGER", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"],
        "STRUCT(f1 DOUBLE, exact_match BOOLEAN, abstention VARCHAR)",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )


def _text_scores(
    category: _Column, question: _Column, gold: _Column, trap: _Column, answer: _Column
) -> _Column:
    columns = (category, question, gold, trap, answer)
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return pa.array([_scores(*row) for row in rows], type=_SCORES)


def _scores(
    category: int, question: str, gold: str | None, trap: str | None, answer: str | None
) -> tuple[float | None, bool | None, str | None]:
    if answer is None:
        return None, None, None
    return (
        token_f1(category, gold, answer),
        exact_match(category, gold, answer),
        abstention(category, question, trap, answer),
    )
