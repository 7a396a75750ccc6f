"""The history: immutable Parquet attempts are the truth, `history.duckdb` is a database on them."""
