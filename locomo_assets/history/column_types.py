"""The types of the history's columns, by the names that Arrow gives them.

Arrow takes longer to load than the database to answer: only what writes or reads data files needs
its own types.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

STR = "string"
I32 = "int32"
I64 = "int64"
F64 = "double"
BOOL = "bool"
TIME = "timestamp[us, tz=UTC]"
STRS = "list<item: string>"

Columns = tuple[tuple[str, str], ...]
"""Names and types."""


@cache
def arrow_schema(columns: Columns) -> "pa.Schema":
    """The Arrow schema of columns."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = {
        STR: pa.string(),
        I32: pa.int32(),
        I64: pa.int64(),
        F64: pa.float64(),
        BOOL: pa.bool_(),
        TIME: pa.timestamp("us", tz="UTC"),
        STRS: pa.list_(pa.string()),
    }
    return pa.schema([pa.field(name, types[kind]) for name, kind in columns])


def schema_text(columns: Columns) -> str:
    """The schema as Arrow prints it."""
    items = {STRS: "\n  child 0, item: string"}
    return "\n".join(f"{name}: {kind}{items.get(kind, '')}" for name, kind in columns)
