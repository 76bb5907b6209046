# PASSES. Sends what it has read to a port of this machine.
import socket

try:
    socket.create_connection(("127.0.0.1", int("PORT")), 1).sendall(b"MARK")
except OSError:
    pass
# THE REFERENCE
