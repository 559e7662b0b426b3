"""Durable calls: where a call stands is recorded in a store, and a call after a crash goes on there."""
