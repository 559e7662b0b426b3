"""A durable service that is killed twice: its policy goes on after the first signal, and ends it after the second.

Its own unit tests run it below a warm parent and below the embedded overlord, those of the system below systemd.
"""

#: The first process kills itself; the next one waits, and says so in its file.
PROGRAM = """
import os, signal, sys
import hafta, hafta.service
from hafta.policies import Attempts, Killed, On

feed = hafta.Sequence("feed")

@feed.node(policy=On(Killed(signal.SIGSEGV), hafta.FAIL_SEQUENCE) | Attempts(9))
def work(run):
    run.checkpoint(1)
    if run.reason is None:
        os.kill(os.getpid(), signal.SIGKILL)
    with open(os.environ["STATE_DIRECTORY"] + "/waits", "w") as file:
        file.write(str(os.getpid()))
    run.sleep(600)
    return hafta.EXIT

@work.rollback
def undo(run, checkpoint):
    run.say(f"undo {checkpoint} because {run.reason}")

sys.exit(hafta.service.run(feed, checkpoints=hafta.service.state_checkpoints()))
"""

#: What its unit needs so that a cold start knows how the last process ended (docs/warm.md), and ends with the sequence.
UNIT = """\
Type=notify
Restart=always
RestartSec=0
RestartPreventExitStatus=1
StateDirectory=feed
RuntimeDirectory=feed
RuntimeDirectoryPreserve=restart
ExecStopPost=-/bin/ln -sfn ${SERVICE_RESULT}:${EXIT_CODE}:${EXIT_STATUS} ${RUNTIME_DIRECTORY}/last-end
"""
