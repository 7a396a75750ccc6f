"""The leaderboard: series side by side where they may be compared, and what others claim."""
