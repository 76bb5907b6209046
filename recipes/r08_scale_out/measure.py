"""What a delivery costs in memory and through Redis, and how long it takes.

    python -m recipes.r08_scale_out.measure [--clients 200]

It starts its own redis-server and workers at ports of the system's, and ends them. For
each way: messages flat out (deliveries a second, CPU of the workers for a delivery, of
Redis for a message), then paced ones (latency within a worker and across workers). At
last it kills Redis, starts it again, and looks when `Delivery is back` comes.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake

from recipes.r08_scale_out.chaos import Program, free_port

SENDERS = 10
FLAT_OUT = 60  # messages of each sender, of which
IN_FLIGHT = 4  # are under way at a time
PACED = 40  # messages of each sender,
RATE = 2.0  # a second


class Listener:
    """A client, and when what came to it."""

    within: list[float]
    across: list[float]

    def __init__(self, number: int, worker: int, websocket: ClientConnection) -> None:
        self.number, self.worker, self.websocket = number, worker, websocket
        self.expect(0)
        self.echo = asyncio.Semaphore(IN_FLIGHT)
        self.back = asyncio.Event()

    def expect(self, messages: int) -> None:
        """Count from now on; `done` when so many have come."""
        self.heard, self.wanted = 0, messages
        self.within, self.across = [], []
        self.done = asyncio.Event()

    async def listen(self) -> None:
        async for data in self.websocket:
            now = time.perf_counter()
            message = json.loads(data)
            if message["sender"] == "system":
                if message["message"] == "Delivery is back":
                    self.back.set()
                continue
            sent, worker, _ = message["message"].split(" ")
            self.heard += 1
            if self.heard == self.wanted:
                self.done.set()
            of_worker = self.within if int(worker) == self.worker else self.across
            of_worker.append(now - float(sent))
            if message["sender"] == "You":
                self.echo.release()

    async def say(self) -> None:
        text = f"{time.perf_counter():.6f} {self.worker} "
        await self.websocket.send(text.ljust(100, "x"))

    async def flat_out(self) -> None:
        for _ in range(FLAT_OUT):
            await self.echo.acquire()
            await self.say()

    async def paced(self) -> None:
        await asyncio.sleep(self.number / SENDERS / RATE)  # not all at once
        for _ in range(PACED):
            await self.say()
            await asyncio.sleep(1 / RATE)


@asynccontextmanager
async def room(clients: int, ports: list[int]) -> AsyncIterator[list[Listener]]:
    """All clients, in turns with each worker."""
    listeners: list[Listener] = []
    for number in range(clients):
        worker = number % len(ports)
        url = f"ws://127.0.0.1:{ports[worker]}/chatroom/{number}"
        for _ in range(200):
            try:
                websocket = await connect(url, proxy=None, compression=None)
                break
            except (OSError, InvalidHandshake):  # it is starting
                await asyncio.sleep(0.05)
        else:
            sys.exit(f"The worker at port {ports[worker]} does not start.")
        listeners.append(Listener(number, worker, websocket))
    tasks = [asyncio.create_task(each.listen()) for each in listeners]
    try:
        yield listeners
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.gather(*(each.websocket.close() for each in listeners))


async def until_all_heard(listeners: list[Listener]) -> None:
    async with asyncio.timeout(60):
        await asyncio.gather(*(each.done.wait() for each in listeners))


def cpu(program: Program) -> float:
    times = psutil.Process(program.process.pid).cpu_times()
    return float(times.user + times.system)


def percentile(values: list[float], share: float) -> str:
    ordered = sorted(values)
    return f"{ordered[int(share * (len(ordered) - 1))] * 1000:.1f}"


async def measure(
    label: str, clients: int, workers: list[Program], redis: Program | None
) -> None:
    ports = [int(worker.command[-1]) for worker in workers]
    async with room(clients, ports) as listeners:
        senders = listeners[:SENDERS]
        messages = SENDERS * FLAT_OUT
        for each in listeners:
            each.expect(messages)
        before = [cpu(worker) for worker in workers]
        redis_before = cpu(redis) if redis else 0.0
        began = time.perf_counter()
        await asyncio.gather(*(each.flat_out() for each in senders))
        await until_all_heard(listeners)
        seconds = time.perf_counter() - began
        deliveries = messages * clients
        used = sum(cpu(worker) for worker in workers) - sum(before)
        line = f"{label}: {deliveries / seconds:,.0f} deliveries a second, "
        line += f"{used / deliveries * 1e6:.1f} µs of CPU for one"
        if redis:
            spent = (cpu(redis) - redis_before) / messages
            line += f", Redis {spent * 1e6:.0f} µs for a message"
        print(line)
        for each in listeners:
            each.expect(SENDERS * PACED)
        await asyncio.gather(*(each.paced() for each in senders))
        await until_all_heard(listeners)
        for where in ("within", "across"):
            times = [t for each in listeners for t in getattr(each, where)]
            if times:
                p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
                print(f"  {where} a worker: p50 {p50} ms, p99 {p99} ms")
        if redis and len(workers) > 1:
            await come_back(redis, listeners)


async def come_back(redis: Program, listeners: list[Listener]) -> None:
    """How long it takes from a new Redis to `Delivery is back` at everybody."""
    redis.kill()
    await asyncio.sleep(3)
    redis.start()
    began = time.perf_counter()
    async with asyncio.timeout(10):
        await asyncio.gather(*(each.back.wait() for each in listeners))
    seconds = time.perf_counter() - began
    print(f"from a started Redis to `Delivery is back` at all: {seconds:.1f} s")


async def main(clients: int, program: str) -> None:
    uvicorn = [sys.executable, "-m", "uvicorn", "recipes.r08_scale_out.main:app"]
    uvicorn += ["--ws-per-message-deflate", "false", "--port"]
    for label, count in (
        ("memory", 1),
        ("Redis, 1 worker", 1),
        ("Redis, 2 workers", 2),
    ):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            redis, url = None, ""
            if label != "memory":
                port = free_port()
                command = [program, "--port", str(port), "--bind", "127.0.0.1"]
                command += ["--dir", folder, "--save", "", "--appendonly", "yes"]
                redis, url = Program(command), f"redis://127.0.0.1:{port}/0"
            workers = [
                Program([*uvicorn, str(free_port())], CHAT_BROKER=url)
                for _ in range(count)
            ]
            try:
                await measure(label, clients, workers, redis)
            finally:
                for each in (*workers, *([redis] if redis else [])):
                    each.process.kill()
                    each.process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clients", type=int, default=200)
    server = shutil.which("redis-server") or shutil.which("valkey-server")
    if not server:
        sys.exit("This needs redis-server: install the package redis-server.")
    asyncio.run(main(parser.parse_args().clients, server))
