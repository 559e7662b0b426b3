"""The journal: events as frozen records, one sink per file, and a reporter that never blocks."""
