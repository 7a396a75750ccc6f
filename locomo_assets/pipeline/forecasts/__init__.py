"""What a launch has still to do, what that takes, and what it would see."""
