"""The design of measurements: what a comparison could see, and when enough has been asked."""
