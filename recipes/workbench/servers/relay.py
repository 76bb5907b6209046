"""Reaches a server of the tests, such as a Redis, from where there is no network.

The socket file RELAYED/<port> of it lies in the folder where an answer's server runs;
from 127.0.0.1:<port> all is relayed to that, by a process beside the answer's.
"""

import asyncio
import contextlib
import os
from pathlib import Path

RELAYED = "relayed"


def relay(folder: Path) -> None:
    """Relay to each server whose file lies there, until the group ends."""
    files = sorted(folder.glob(f"{RELAYED}/*"))
    if files and os.fork() == 0:
        for number in (0, 1):  # the reports' end is seen when the app's process ends
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        os.closerange(3, 4_096)
        asyncio.run(serve(files))
        os._exit(0)


async def serve(files: list[Path]) -> None:
    servers = []
    for file in files:
        # Where there is a network, the port is the server's own.
        with contextlib.suppress(OSError):
            servers.append(await listening(file))
    if servers:
        await asyncio.Event().wait()


async def listening(file: Path) -> asyncio.Server:
    async def accepted(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            theirs, to_them = await asyncio.open_unix_connection(str(file))
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(passed_on(reader, to_them), passed_on(theirs, writer))

    return await asyncio.start_server(accepted, "127.0.0.1", int(file.name))


async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
