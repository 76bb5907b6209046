# FAILS. Wants more memory than there may be.
held = [bytearray(2**30) for _ in range(64)]
# THE REFERENCE
