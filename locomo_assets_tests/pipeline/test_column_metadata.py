"""What the UI is told of tables and columns is true of the schema."""

import pytest

from locomo_assets.history.schema import TABLES
from locomo_assets.pipeline.column_metadata import TABLE_OF, column_lineage, rows_sql, table_schema


@pytest.mark.parametrize("asset", TABLE_OF)
def test_columns_exist_on_both_ends(asset: str) -> None:
    own = {column.name for column in table_schema(asset).columns}
    for column, sources in column_lineage(asset).deps_by_column.items():
        assert column in own
        for source in sources:
            table = TABLE_OF[source.asset_key.to_user_string()]
            assert source.column_name in TABLES[table].names


@pytest.mark.parametrize("asset", TABLE_OF)
def test_every_column_says_what_it_holds(asset: str) -> None:
    without = [column.name for column in table_schema(asset).columns if not column.description]
    assert without == []


def test_sql_is_quoted() -> None:
    shown = rows_sql("answers", {"release": "it's"}).md_str
    assert shown is not None
    assert "release = 'it''s'" in shown
