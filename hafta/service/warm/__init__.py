"""The warm parent: it has the imports behind it, and replaces a dead or hung worker in milliseconds (docs/warm.md)."""
