"""What Condition*= and Assert*= ask of the machine, as systemd 252 finds it out; one file for each part of the machine.

Each check takes the value of a condition and answers yes or no. It raises OSError or ValueError for what cannot be
found out. No check opens a file of others for reading, so none waits for the other end of a pipe.
"""
