# PASSES. Writes what it can, and makes many files.
import os
from pathlib import Path

for folder in ("/tmp", "/var/tmp", "/dev/shm", os.getcwd()):
    try:
        for number in range(3_000):
            Path(folder, f"MARK{number}").touch()
        with open(f"{folder}/MARK", "wb") as file:
            for _ in range(200):
                file.write(bytes(2**20))
    except OSError:
        pass
# THE REFERENCE
