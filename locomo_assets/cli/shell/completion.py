"""What a shell's Tab offers where a command takes a release."""

from collections.abc import Sequence


def releases(incomplete: str) -> Sequence[str]:
    """The releases of the history that begin so, the newest first.

    Only read, and silent: a prompt is no place for an error.
    """
    try:
        import duckdb

        from locomo_assets.places import read_database_path

        path = read_database_path()
        if not path.is_file():
            return []
        with duckdb.connect(path, read_only=True) as connection:
            rows = connection.execute(
                "SELECT release FROM release_order WHERE starts_with(release, $1) "
                "ORDER BY position DESC",
                [incomplete],
            ).fetchall()
        return [str(release) for (release,) in rows]
    except Exception:
        return []
