"""Asking an overlord that runs: the protocol of its control socket, where that is found, and `hafta ctl`."""
