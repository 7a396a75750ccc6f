"""The `openai` package, for all modules here that use it."""

from locomo_assets.hidden import hidden

# It would load aiohttp, which is there for object stores, for a client that nobody makes: 0.1 s.
with hidden("aiohttp"):
    import openai

__all__ = ["openai"]
