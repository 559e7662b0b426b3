"""Drills: break a running unit on purpose, measure what comes of it, and undo it, however the drill ends."""
