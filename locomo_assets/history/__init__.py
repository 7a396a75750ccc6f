"""The history: immutable Parquet attempts, and `history.duckdb` derived from them."""
