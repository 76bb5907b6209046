# ENDS. Has as many processes as it can get.
import os
import time

while True:
    try:
        if os.fork() == 0:
            time.sleep(600)
    except OSError:
        break
# THE REFERENCE
