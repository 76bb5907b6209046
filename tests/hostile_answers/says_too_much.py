# FAILS. Prints without end, before it serves.
while True:
    print("x" * 60_000)
# THE REFERENCE
