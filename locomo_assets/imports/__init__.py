"""Results measured by others: read from files, checked against the data set, and stored."""
