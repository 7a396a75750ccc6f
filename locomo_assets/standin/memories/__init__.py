"""How memories form and are stored, and what Memory Pro does otherwise."""
