"""Whether a first paid run would find all that it needs. Asks only what is free."""
