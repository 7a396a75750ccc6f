"""What people look at: tables, charts, pages. Reads the lens; computes nothing new."""
