"""The file store: one small file per sequence instance (docs/store.md, sections 4 and 5)."""
