"""`judge`, `judge-panel`: verdicts of one's own on stored answers, imported ones too."""
