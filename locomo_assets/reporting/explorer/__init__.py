"""The page's own parts: what it shows of every question, its charts, template, style and script."""
