"""Where the room gets what it knows: one file for each source."""
