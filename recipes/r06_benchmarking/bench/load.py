"""The clients of a measurement, in a process of their own.

Every message carries its sender, its number and the time at which it was due. A client
that comes late with its own sending does not hide that delay ("coordinated omission"):
the clock of a paced message starts when it should have been sent, not when it was.
"""

import asyncio
import contextlib
import json
import os
import random
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

OPEN_TIMEOUT = 20.0
# The numbers of messages that are not counted: before it, and after it.
WARM_UP, BURST, TURN = "-1", "-2", "-3"
# How many are in the room for the burst at most, so that it does not take long.
MOST_IN_BURST = 20
# Seconds without any delivery after which what is missing counts as lost.
PATIENCE = float(os.environ.get("BENCHMARK_PATIENCE") or 10)


@dataclass
class Plan:
    """One measurement: who connects, who says how much, and how fast."""

    url: str
    nonce: str | None = None
    clients: int = 200
    senders: int = 10
    messages: int = 50
    size: int = 100
    rate: float = 0.0  # messages a second of each sender; 0: flat out
    in_flight: int = 4  # flat out: own messages under way at once
    stalled: int = 0
    batch: bool = False
    compression: bool = True
    seed: int = 1
    find_limit: bool = False
    storm: bool = False
    burst: int = 0


@dataclass
class Tally:
    """What was measured; times in seconds."""

    handshakes: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    expected: int = 0
    received: int = 0
    doubled: int = 0
    out_of_order: int = 0
    latencies: list[float] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    closes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    turn: float = 0.0  # the longest that an echo took during another's burst


class Client:
    """One user of the room, who checks what every sender says."""

    def __init__(self, load: "Load", number: int) -> None:
        self.load, self.number = load, number
        self.next: Counter[int] = Counter()  # the number expected of each sender
        self.echo = asyncio.Semaphore(load.plan.in_flight)
        self.turn = asyncio.Event()  # the echo of a text during a burst came
        self.burst = 0  # texts of a burst that came
        self.websocket: ClientConnection

    async def read(self) -> None:
        """Take what comes until the connection ends."""
        try:
            async for data in self.websocket:
                now = time.monotonic()
                came = json.loads(data)
                for message in came if isinstance(came, list) else [came]:
                    self.take(message, now)
        except ConnectionClosed:
            pass
        frame = self.websocket.protocol.close_rcvd
        code = f"{frame.code} {frame.reason}".strip() if frame else "1006"
        self.load.tally.closes[code] += 1

    def take(self, message: dict[str, str], now: float) -> None:
        self.load.heard = now
        if message["sender"] == "system":
            return
        sender, number, due, _ = message["message"].split(" ", 3)
        if number in {WARM_UP, BURST, TURN}:
            self.burst += number == BURST
            if number == TURN and message["sender"] == "You":
                self.turn.set()
            return
        if message["sender"] == "You":
            self.echo.release()
        self.load.note(self.next, int(sender), int(number), float(due), now)

    async def talk(self, start: float) -> None:
        """Say all of it: at the times that are due, or as fast as echoes come."""
        plan = self.load.plan
        chance = random.Random(plan.seed * 10_007 + self.number)
        due = start
        for number in range(plan.messages):
            if plan.rate:
                due += chance.expovariate(plan.rate)  # as people do: at random
                self.load.pausing += 1
                await asyncio.sleep(due - time.monotonic())
                self.load.pausing -= 1
            else:
                await self.echo.acquire()
                due = time.monotonic()
            text = f"{self.number} {number} {due:.6f} "
            await self.websocket.send(text.ljust(plan.size, "x"))


class Load:
    """All clients of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.tally = plan, Tally()
        # When a delivery was counted, and when anything came at all.
        self.last = self.heard = time.monotonic()
        self.pausing = 0  # senders who wait until their next message is due

    def note(
        self, expected: Counter[int], sender: int, number: int, due: float, now: float
    ) -> None:
        """Account for one delivery."""
        self.last = now
        if number < expected[sender]:
            self.tally.doubled += 1
            return
        self.tally.out_of_order += number > expected[sender]
        expected[sender] = number + 1
        self.tally.received += 1
        self.tally.latencies.append(now - due)
        self.tally.arrivals.append(now)

    async def open(self, number: int, stalled: bool = False) -> Client | None:
        """Connect one client; None, and counted by kind, if that fails."""
        plan = self.plan
        client = Client(self, number)
        name = f"stalled{number}" if stalled else f"user{number}"
        since = time.monotonic()
        try:
            client.websocket = await connect(
                f"{plan.url}/{name}",
                sock=await narrow_socket(plan.url) if stalled else None,
                subprotocols=[Subprotocol("chat.batch.v1")] if plan.batch else None,
                compression="deflate" if plan.compression and not stalled else None,
                proxy=None,
                open_timeout=OPEN_TIMEOUT,
                max_queue=1 if stalled else None,
                close_timeout=1,
                ping_interval=None,
            ).__aenter__()
        except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed) as error:
            self.tally.refused[f"{type(error).__name__}: {error}"[:100]] += 1
            return None
        self.tally.handshakes.append(time.monotonic() - since)
        assert client.websocket.response is not None
        nonce = client.websocket.response.headers.get("X-Benchmark")
        if plan.nonce and nonce != plan.nonce:
            raise RuntimeError("another server answers at this port")
        return client

    async def run(self, talk_to: Connection) -> None:
        plan, tally = self.plan, self.tally
        clients: list[Client] = []
        # Fifty handshakes at a time, so that they measure the server and not a queue.
        for first in range(0, plan.clients, 50):
            numbers = range(first, min(first + 50, plan.clients))
            opened = await asyncio.gather(*(self.open(n) for n in numbers))
            clients += [client for client in opened if client is not None]
            talk_to.send(("joined", len(clients)))
            if plan.find_limit and tally.refused:
                break
        if plan.storm:
            clients = await self.storm(clients)
        stalled = [await self.open(n, stalled=True) for n in range(plan.stalled)]
        readers = [asyncio.create_task(client.read()) for client in clients]
        if not clients:
            reasons = ", ".join(tally.refused)
            raise RuntimeError(f"no client could connect: {reasons}")
        senders = clients[: plan.senders]
        # Who could not connect misses everything, unless that is what is looked for.
        present = len(clients) if plan.find_limit else plan.clients
        tally.expected = plan.senders * plan.messages * present

        await self.quiet()
        for client in senders:
            warm = f"{client.number} {WARM_UP} 0 ".ljust(plan.size, "x")
            await client.websocket.send(warm)
        await self.quiet()
        talk_to.send(("start", len(clients)))
        await asyncio.to_thread(talk_to.recv)  # the server's CPU time is read now
        start = time.monotonic()
        self.last = self.last_due = start
        talking = asyncio.gather(*(client.talk(start) for client in senders))
        while tally.received < tally.expected:
            if self.pausing:
                self.last_due = time.monotonic()
            elif time.monotonic() - max(self.last, self.last_due) > PATIENCE:
                break
            talk_to.send(("received", tally.received))
            await asyncio.sleep(0.05)
        tally.seconds = self.last - start
        talk_to.send(("end", tally.received))
        await asyncio.to_thread(talk_to.recv)
        talking.cancel()
        if plan.burst and len(clients) > 1:
            await self.burst(clients)
        await asyncio.gather(
            *(client.websocket.close() for client in clients), return_exceptions=True
        )
        await asyncio.gather(*readers)
        for each in stalled:
            if each is not None:
                each.websocket.transport.abort()
        talk_to.send(("tally", tally))

    async def burst(self, clients: list[Client]) -> None:
        """One writes thousands of texts at once; how long does another's echo take?

        Nobody else reads meanwhile: it is the server's turns that are measured, and not
        those of this process. What comes fits into the system's buffers.
        """
        await asyncio.gather(
            *(each.websocket.close() for each in clients[MOST_IN_BURST:]),
            return_exceptions=True,
        )
        await self.quiet()
        flood, other, *rest = clients[:MOST_IN_BURST]
        quiet = [each.websocket.transport for each in (flood, *rest)]
        try:
            for transport in quiet:
                transport.pause_reading()
            text = f"{flood.number} {BURST} 0 ".encode()
            frames = [
                Frame(Opcode.TEXT, text).serialize(mask=True)
                for _ in range(self.plan.burst)
            ]
            flood.websocket.transport.write(b"".join(frames))
            deadline = time.monotonic() + PATIENCE
            while other.burst < self.plan.burst and time.monotonic() < deadline:
                other.turn.clear()
                since = time.monotonic()
                await other.websocket.send(f"{other.number} {TURN} 0 ")
                async with asyncio.timeout(PATIENCE):
                    await other.turn.wait()
                self.tally.turn = max(self.tally.turn, time.monotonic() - since)
        except (TimeoutError, ConnectionClosed, RuntimeError):
            self.tally.turn = PATIENCE  # none came
        finally:
            for transport in quiet:
                with contextlib.suppress(RuntimeError):
                    transport.resume_reading()

    async def quiet(self) -> None:
        """Until nothing comes any more: n clients that join send n²/2 notices."""
        self.heard = time.monotonic()
        deadline = self.heard + OPEN_TIMEOUT
        # A look now and then is enough, and costs the clients less than an event.
        while self.heard + 0.5 > time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def storm(self, clients: list[Client]) -> list[Client]:
        """Cut all connections, and have all of them come back in the same moment."""
        for client in clients:
            client.websocket.transport.abort()
        self.tally.handshakes.clear()
        again = await asyncio.gather(*(self.open(each.number) for each in clients))
        return [client for client in again if client is not None]


async def narrow_socket(url: str) -> socket.socket:
    """A connection for which the system stores little: who does not read it stalls.

    With ordinary buffers that takes some megabytes.
    """
    parts = urlsplit(url)
    narrow = socket.socket()
    narrow.setblocking(False)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    if sys.platform != "win32":
        narrow.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 500)
    address = (parts.hostname or "", parts.port or 80)
    await asyncio.get_running_loop().sock_connect(narrow, address)
    return narrow


def main(plan: Plan, talk_to: Connection) -> None:
    try:
        asyncio.run(Load(plan).run(talk_to))
    except Exception as error:
        talk_to.send(("failed", str(error) or type(error).__name__))


def summary(tally: Tally, cpu: float, memory: float) -> dict[str, Any]:
    """The figures of a tally; times in milliseconds, CPU in microseconds."""
    return {
        "handshakes": percentiles(tally.handshakes),
        "refused": dict(tally.refused),
        "expected": tally.expected,
        "received": tally.received,
        "lost": tally.expected - tally.received,
        "doubled": tally.doubled,
        "out_of_order": tally.out_of_order,
        "latency": percentiles(tally.latencies),
        "deliveries_a_second": tally.received / (tally.seconds or 1),
        "cpu_us": cpu / (tally.received or 1) * 1e6,
        "kib_a_connection": memory / 1024 / (len(tally.handshakes) or 1),
        "closes": dict(tally.closes),
        "turn": tally.turn * 1000,
    }


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50, p95, p99 and max, in milliseconds."""
    ordered = sorted(seconds) or [0.0]
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    last = len(ordered) - 1
    return {name: ordered[round(last * part)] * 1000 for name, part in at.items()}
