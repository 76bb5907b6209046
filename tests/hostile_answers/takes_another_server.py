# FAILS. Tells the judge that it serves at the port of another server.
import json
import os
import time

line = json.dumps({"event": "ready", "port": int("PORT")}).encode() + b"\n"
for number in range(3, 20):
    try:
        os.write(number, line)
    except OSError:
        pass
time.sleep(30)
