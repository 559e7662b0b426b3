"""The event log: what the embedded overlord keeps of its units, where there is no journal. docs/eventlog.md."""
