"""Drivers carry out what the engine decides: they call the functions, wait, time out and report."""
