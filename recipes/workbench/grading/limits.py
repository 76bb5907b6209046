"""How much an answer may take, and how long."""

MIB = 2**20
# What its server sets itself, by the names of `resource`: bytes, files, seconds.
LIMITS = {
    "AS": 2048 * MIB,
    "FSIZE": 32 * MIB,
    "NOFILE": 4_096,
    "CPU": 90,
    "CORE": 0,
}
# Only where its user is nobody else's: the system counts all that a user runs.
MOST_PROCESSES = 128
# Bytes of /tmp, where it has one of its own.
TMP = 64 * MIB
# Seconds for all of its tasks, and for one.
SECONDS = 60.0
TASK_SECONDS = 20
# Bytes of memory that all of its processes take at a time.
MOST_MEMORY = 3072 * MIB
