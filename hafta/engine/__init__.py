"""The engine: tables and decisions. Nothing here does I/O, reads a clock, sleeps or logs."""
