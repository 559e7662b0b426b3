"""Stores that several hosts share: a record has one owner at a time, by a lease and a fence (docs/hosts.md)."""
