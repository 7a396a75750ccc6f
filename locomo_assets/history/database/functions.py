"""The Python functions that `sql/derived` calls."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import FunctionNullHandling, PythonUDFType

from locomo_assets.locomo.diagnosis import Piece, diagnose
from locomo_assets.locomo.text_scores import abstention, exact_match, token_f1
from locomo_assets.locomo.tracing import Said, trace

if TYPE_CHECKING:
    _Column = pa.Array[Any]
else:  # Generic only in the stubs, and DuckDB evaluates the annotations.
    _Column = pa.Array

_SCORES = pa.struct(
    [("f1", pa.float64()), ("exact_match", pa.bool_()), ("abstention", pa.string())]
)
_FINDING = pa.struct(
    [
        ("stage", pa.string()),
        ("declined", pa.bool_()),
        ("contains_gold", pa.bool_()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)
_DIA_IDS = pa.list_(pa.list_(pa.string()))
_PIECES = (
    "STRUCT(dia_id VARCHAR, operation_status VARCHAR, stored BOOLEAN, retrieved BOOLEAN, "
    "retrieved_rank INTEGER)[]"
)


def register_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Registers the Python functions that `sql/derived` calls, for this connection.

    `text_scores(category, question, gold_answer, trap, answer)` gives f1, exact_match, abstention:
    each null where `locomo.text_scores` returns None, and all without an answer.
    `t_quantile(degrees_of_freedom)` gives the 97.5 % quantile of Student's t.
    `trace_memories(memories, turns)` gives for each memory the turns that `locomo.tracing` finds.
    `diagnose_answer(category, gold_answer, answer, evidence, memory_is_off)` gives a
    `locomo.diagnosis.Finding`.
    """
    connection.create_function(
        "text_scores",
        _text_scores,
        ["INTEGER", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"],
        "STRUCT(f1 DOUBLE, exact_match BOOLEAN, abstention VARCHAR)",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )
    connection.create_function(
        "t_quantile", _t_quantile, ["DOUBLE"], "DOUBLE", type=PythonUDFType.ARROW
    )
    connection.create_function(
        "trace_memories",
        _trace_memories,
        ["VARCHAR[]", "STRUCT(dia_id VARCHAR, speaker VARCHAR, text VARCHAR)[]"],
        "VARCHAR[][]",
        type=PythonUDFType.ARROW,
    )
    connection.create_function(
        "diagnose_answer",
        _diagnose,
        ["INTEGER", "VARCHAR", "VARCHAR", _PIECES, "BOOLEAN"],
        "STRUCT(stage VARCHAR, declined BOOLEAN, contains_gold BOOLEAN, reason VARCHAR, "
        "detail VARCHAR)",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )


def _t_quantile(degrees_of_freedom: _Column) -> _Column:
    from scipy.special import stdtrit  # scipy.stats takes ten times as long to import

    quantiles: _Column = pa.array(stdtrit(degrees_of_freedom.to_numpy(zero_copy_only=False), 0.975))
    return quantiles


def _text_scores(
    category: _Column, question: _Column, gold: _Column, trap: _Column, answer: _Column
) -> _Column:
    columns = (category, question, gold, trap, answer)
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return _structs([_scores(*row) for row in rows], _SCORES)


def _structs(rows: Sequence[tuple[Any, ...]], kind: pa.StructType) -> _Column:
    """Rows as Arrow's structs, made field by field: it takes whole structs one by one."""
    fields = zip(*rows, strict=True) if rows else [()] * len(kind)
    arrays = [pa.array(values, field.type) for values, field in zip(fields, kind, strict=True)]
    return pa.StructArray.from_arrays(arrays, fields=list(kind))


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


def _trace_memories(memories: _Column, turns: _Column) -> _Column:
    rows: Iterable[tuple[Any, Any]] = zip(memories.to_pylist(), turns.to_pylist(), strict=True)
    traced = [trace(texts, [Said(**turn) for turn in said]) for texts, said in rows]
    return pa.array(traced, type=_DIA_IDS)


def _diagnose(
    category: _Column, gold: _Column, answer: _Column, evidence: _Column, memory_is_off: _Column
) -> _Column:
    columns = (category, gold, answer, memory_is_off)
    lists: list[Iterable[Any]] = [column.to_pylist() for column in columns]
    rows = zip(*lists, _pieces(evidence), strict=True)
    return _structs([_finding(*row) for row in rows], _FINDING)


def _pieces(evidence: _Column) -> Iterator[Sequence[Piece]]:
    """Each row's pieces, none where it has no list; field by field, which is quicker."""
    flat = pc.list_flatten(evidence)
    fields = (pc.struct_field(flat, n).to_pylist() for n in range(len(Piece._fields)))
    pieces = map(Piece, *fields)
    for length in pc.list_value_length(evidence).to_pylist():
        yield tuple(islice(pieces, length or 0))


def _finding(
    category: int,
    gold: str | None,
    answer: str | None,
    memory_is_off: bool,
    pieces: Sequence[Piece],
) -> tuple[Any, ...]:
    if answer is None:
        return (None,) * len(_FINDING)
    return diagnose(category, gold, answer, pieces, memory_is_off=memory_is_off)
