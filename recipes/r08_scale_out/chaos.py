"""Kill workers and Redis under load, and count what came: lost, doubled, out of order.

    python -m recipes.r08_scale_out.chaos [--seconds 60] [--clients 60] [--seed 1]

It starts its own redis-server (with an append-only file) and three workers at ports of
the system's, and ends them. Clients come back elsewhere with `since`, and send again
under its key what has not come back as `You`. It prints what it saw, and exits with 1
if anything was lost, doubled or out of order.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

ROOT = Path(__file__).parents[2]
WORKERS = 3
PAUSE = 1.0  # seconds between two texts of a client, on average
QUIET = 20.0  # seconds for the rest to come when all has been said


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Program:
    """A process that is killed, and started again at the same port."""

    def __init__(self, command: list[str], **settings: str) -> None:
        self.command, self.settings = command, settings
        self.kills = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=os.environ | self.settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.kills += 1


class Person:
    """A client that says numbered texts, and checks what everybody says."""

    def __init__(self, number: int, ports: list[int], chance: random.Random) -> None:
        self.name, self.ports, self.chance = f"p{number}", ports, chance
        self.since: str | None = None
        self.outbox: dict[str, str] = {}  # key -> text, not yet come back as `You`
        self.said = 0
        self.heard: list[tuple[tuple[int, int], str, str]] = []  # id, sender, text
        self.missed = self.connections = 0
        self.socket: ClientConnection | None = None

    async def live(self) -> None:
        while True:
            port = self.chance.choice(self.ports)
            url = f"ws://127.0.0.1:{port}/chatroom/{self.name}?client={self.name}"
            if self.since:
                url += f"&since={self.since}"
            with suppress(OSError, InvalidHandshake, ConnectionClosed, EOFError):
                async with connect(url, proxy=None, open_timeout=5) as self.socket:
                    self.connections += 1
                    await self.send_all()
                    async for data in self.socket:
                        await self.take(json.loads(data))
            self.socket = None
            await asyncio.sleep(self.chance.uniform(0, 0.5))

    async def take(self, message: dict[str, Any]) -> None:
        sender, text = message["sender"], message["message"]
        if sender == "You":
            self.outbox.pop(message.get("key", ""), None)
        if id := message.get("id"):
            self.since = id
            ms, n = id.split("-")
            if sender != "system":
                name = self.name if sender == "You" else sender
                self.heard.append(((int(ms), int(n)), name, text))
        elif text.startswith("You missed"):
            self.missed += 1
        elif text == "Delivery is back" or text.startswith("Not delivered"):
            await asyncio.sleep(0.2 if "text" in message else 0)
            await self.send_all()

    async def send_all(self) -> None:
        for key in list(self.outbox):
            await self.send(key)

    async def send(self, key: str) -> None:
        if self.socket is not None and key in self.outbox:
            text = json.dumps({"key": key, "message": self.outbox[key]})
            with suppress(ConnectionClosed):
                await self.socket.send(text)

    async def talk(self, end: float) -> None:
        while time.monotonic() < end:
            await asyncio.sleep(self.chance.uniform(0, 2 * PAUSE))
            key = str(self.said)
            self.outbox[key] = f"{self.name} {key}"
            self.said += 1
            await self.send(key)


async def havoc(
    redis: Program, workers: list[Program], end: float, chance: random.Random
) -> None:
    """Kill somebody every few seconds; each comes back."""
    while time.monotonic() < end - 5:
        await asyncio.sleep(chance.uniform(1.5, 3))
        victim = redis if chance.random() < 1 / 3 else chance.choice(workers)
        victim.kill()
        await asyncio.sleep(chance.uniform(0, 1.5))
        victim.start()


async def measure(arguments: argparse.Namespace, folder: str) -> bool:
    chance = random.Random(arguments.seed)
    port = free_port()
    command = [arguments.redis, "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--dir", folder, "--save", "", "--appendonly", "yes"]
    redis = Program(command)
    ports = [free_port() for _ in range(WORKERS)]
    uvicorn = [sys.executable, "-m", "uvicorn", "recipes.r08_scale_out.main:app"]
    url = f"redis://127.0.0.1:{port}/0"
    workers = [
        Program([*uvicorn, "--port", str(p)], CHAT_BROKER=url, HISTORY="5000")
        for p in ports
    ]
    people = [
        Person(n, ports, random.Random(arguments.seed * 1000 + n))
        for n in range(arguments.clients)
    ]
    try:
        lives = [asyncio.create_task(person.live()) for person in people]
        deadline = time.monotonic() + 30
        while not all(person.connections for person in people):
            assert time.monotonic() < deadline, "not everybody came in"
            await asyncio.sleep(0.1)
        end = time.monotonic() + arguments.seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(havoc(redis, workers, end, chance))
            for person in people:
                group.create_task(person.talk(end))
        wanted = sum(person.said for person in people)
        deadline = time.monotonic() + QUIET
        while time.monotonic() < deadline:
            if all(len({t for _, _, t in p.heard}) == wanted for p in people):
                break
            await asyncio.sleep(0.1)
        for life in lives:
            life.cancel()
        await asyncio.wait(lives)
    finally:
        for program in (redis, *workers):
            program.process.kill()
            program.process.wait()
    return report(people, redis.kills, sum(worker.kills for worker in workers))


def report(people: list[Person], redis_kills: int, worker_kills: int) -> bool:
    """Print what was seen; whether all was well."""
    said = {f"{p.name} {n}" for p in people for n in range(p.said)}
    lost = doubled = disorder = deliveries = 0
    orders = set()
    for person in people:
        texts = Counter(text for _, _, text in person.heard)
        deliveries += len(texts)
        lost += len(said - texts.keys())
        doubled += sum(times - 1 for times in texts.values())
        ids = [id for id, _, _ in person.heard]
        disorder += sum(b <= a for a, b in itertools.pairwise(ids))
        orders.add(tuple(person.heard))
    print(f"{len(people)} clients, {sum(p.connections for p in people)} connections")
    print(f"killed: {worker_kills} workers, Redis {redis_kills} times")
    print(f"{len(said):,} messages, {deliveries:,} deliveries")
    print(f"lost {lost}, doubled {doubled}, out of order {disorder}")
    print(f"different orders seen: {len(orders)}")
    gaps = sum(person.missed for person in people)
    print(f"told that they missed something: {gaps}")
    return not (lost or doubled or disorder or gaps) and len(orders) == 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="of talking")
    parser.add_argument("--clients", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.redis = shutil.which("redis-server") or shutil.which("valkey-server")
    if not arguments.redis:
        sys.exit("This needs redis-server: install the package redis-server.")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        sys.exit(0 if asyncio.run(measure(arguments, folder)) else 1)


if __name__ == "__main__":
    main()
