"""Stores of checkpoints: where a sequence's position outlives the process. See docs/store.md."""
