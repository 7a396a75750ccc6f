"""What the commands print: `table.py` has the table, `series.py` the parts of a report."""
