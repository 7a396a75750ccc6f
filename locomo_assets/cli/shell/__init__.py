"""What every command shares with the shell: how it was typed, how it ends, progress, completion."""
