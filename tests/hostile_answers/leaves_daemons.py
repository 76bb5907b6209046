# PASSES. Leaves processes behind that belong to no group and no parent.
import os
import time

for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv("/bin/sleep", ["/bin/sleep", "SLEEPS"])
        os._exit(0)
time.sleep(0.1)
# THE REFERENCE
