"""What people look at: tables, charts, pages. Reads the database; computes nothing new."""
