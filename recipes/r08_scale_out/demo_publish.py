"""What is said while nobody listens: with publish/subscribe it is gone, in a log not.

python -m recipes.r08_scale_out.demo_publish [redis://host:port/db]
"""

import asyncio
import sys
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError


async def main(url: str = "redis://127.0.0.1:6379/0") -> None:
    async with Redis.from_url(url, decode_responses=True) as redis:
        async with redis.pubsub() as subscriber:
            await subscriber.subscribe("demo:channel")
            first: Any = await redis.xadd("demo:log", {"text": "before"})
            await subscriber.unsubscribe()  # the connection breaks

            hearers = await redis.publish("demo:channel", "in between")
            await redis.xadd("demo:log", {"text": "in between"})

            await subscriber.subscribe("demo:channel")  # and is there again
            await redis.publish("demo:channel", "after")
            await redis.xadd("demo:log", {"text": "after"})

            print(f"published to {hearers} subscribers: in between")
            while True:
                message = await subscriber.get_message(timeout=0.5)
                if message is None:
                    break
                if message["type"] == "message":
                    print("the subscriber hears:", message["data"])
        found: Any = await redis.xrange("demo:log", min=f"({first}")
        for _, fields in found:
            print("the reader of the log hears:", fields["text"])
        await redis.delete("demo:log")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:2]))
    except RedisError as error:
        sys.exit(f"No Redis: {error}")
