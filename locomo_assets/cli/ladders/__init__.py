"""Commands over ladders of configurations."""
