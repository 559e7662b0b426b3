"""Unit files, from their text to a `Unit`. Nothing here starts a process, and nothing here waits."""
