"""The exit status of every program of HAFTA, in one table: man pages and units are checked against it.

0 to 5, 99 and 111 are those of the `hafta` command line, in which systemctl's 3, "not running", is free; 70 is
sysexits' EX_SOFTWARE, which systemd shows by name.
"""

OK = 0  # done, or asked to stop
FAILED = 1  # the state is bad: the sequence failed, the service is down
USAGE = 2  # a wrong option or setting: restarting cannot help, so units do not (RestartPreventExitStatus=)
NOT_FOUND = 4  # no such thing: a unit, a record, a file that was named
PERMISSION = 5
READER_GONE = 20  # hafta-server: the reader closed the pipe
NOT_A_PIPE = 21  # what stands at the pipe's path is something else
SYMLINK = 22  # the pipe, or a directory on the way to it, is a symbolic link that is not followed
FOREIGN_OWNER = 23  # the pipe belongs to somebody who is not trusted
NO_SPACE = 24  # no room, or no inode: to make the pipe, to keep a checkpoint
IN_USE = 25  # another copy is using it
UNHEALTHY = 26  # hafta guard: the program failed its probes, and has been ended
LOST = 27  # the lease of a record ended: another host may do the work now
PANIC = 70
TIMED_OUT = 99
SYSTEM = 111  # the system said no: any other error of a system call

MEANING = {
    OK: "done, or asked to stop",
    FAILED: "the state is bad: the sequence failed, or the service is down",
    USAGE: "a wrong option, setting or unit; correct it, then restart",
    NOT_FOUND: "no such unit, record or file",
    PERMISSION: "no permission",
    READER_GONE: "the reader went away",
    NOT_A_PIPE: "what stands at the pipe's path is not a pipe",
    SYMLINK: "the pipe, or a directory on its path, is a symbolic link that is not trusted",
    FOREIGN_OWNER: "the pipe belongs to a user who is not trusted",
    NO_SPACE: "no space is left, for the pipe or for checkpoints",
    IN_USE: "another copy is running",
    UNHEALTHY: "the program failed its probes",
    LOST: "its lease ended: another host may run the sequence now",
    PANIC: "panic: a sequence found itself in a state from which it must not continue",
    TIMED_OUT: "timed out",
    SYSTEM: "a system call failed",
}
