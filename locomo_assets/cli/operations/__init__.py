"""The commands of those who operate it: upkeep of the history, backups, alerts, doctor, remote."""
