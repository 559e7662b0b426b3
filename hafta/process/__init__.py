"""Processes, below the overlord and the services: fork, prctl, the table of processes, a loop."""
