"""What the daemon does by itself: thin shells around decisions made elsewhere, one a module."""
