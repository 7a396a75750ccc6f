"""The memory service under test: its wire protocol, its errors, and the LoCoMo protocol over it."""
