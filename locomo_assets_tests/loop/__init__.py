"""The whole loop with the real daemon: a release appears in a served feed, and what follows."""
