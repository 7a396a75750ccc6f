"""What all commands share, and a command line run in this process."""
