"""Questions answered by a model of our own from memories that the service retrieves."""
