"""hafta-server, which writes to a named pipe. Nothing is imported here: __main__.py has to come first."""
