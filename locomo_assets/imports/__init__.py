"""Results that others measured: read from their files, checked against the data set, stored."""
