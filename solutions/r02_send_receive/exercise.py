"""Number the messages of a connection, text and binary alike.

`receive_text()` and `receive_bytes()` each take one kind and fail on the other, so a
handler that takes both asks for the raw message with `receive()`. That call does not
raise when the client leaves: it gives a message of the type `websocket.disconnect`,
and the loop must end there. The question is whether a text is there, not whether it is
true: an empty text is a message.

Another way: `match` on the message, with a case for `{"text": str(text)}` and one for
`{"bytes": bytes(data)}`.
"""

from itertools import count as counting

from fastapi import FastAPI, WebSocket

app = FastAPI(title="Exercise: count the messages")


@app.websocket("/ws")
async def count(websocket: WebSocket) -> None:
    await websocket.accept()
    for number in counting(1):
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") is not None:
            await websocket.send_text(f"{number}: {message['text']}")
        else:
            await websocket.send_bytes(message["bytes"])
