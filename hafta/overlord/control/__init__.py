"""What answers on the control socket of a running overlord (docs/control.md)."""
