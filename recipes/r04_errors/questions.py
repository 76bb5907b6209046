"""Questions and answers on one socket, several on their way at once."""

import asyncio
import logging

from fastapi import FastAPI, WebSocket, WebSocketDisconnect, WebSocketException
from pydantic import BaseModel, FiniteFloat, ValidationError

from .main import close, receive_text_only, reply

logger = logging.getLogger("uvicorn")
app = FastAPI(title="Questions and answers")
app.exception_handler(WebSocketException)(close)

# Of one client, on their way at once. The next waits in its socket.
MOST = 10


class Question(BaseModel):
    id: int
    divide: FiniteFloat
    by: FiniteFloat
    seconds: FiniteFloat = 0  # how long it takes to find out


class Answer(BaseModel):
    id: int | None  # None: it was no question
    result: float | None = None
    error: str | None = None


async def answer_to(question: Question) -> Answer:
    await asyncio.sleep(min(question.seconds, 1))
    if question.by == 0:
        return Answer(id=question.id, error="Division by zero")
    return Answer(id=question.id, result=question.divide / question.by)


@app.websocket("/ws")
async def ask(websocket: WebSocket) -> None:
    await websocket.accept()
    room = asyncio.Semaphore(MOST)
    working: set[asyncio.Task[None]] = set()

    async def send(answer: Answer) -> None:
        await reply(websocket, answer.model_dump_json(exclude_none=True))

    async def work(question: Question) -> None:
        try:
            answer = await answer_to(question)
        except Exception:  # whoever asked waits for this number
            logger.exception("No answer to %s", question)
            answer = Answer(id=question.id, error="Internal error")
        await send(answer)
        room.release()

    try:
        while True:
            text = await receive_text_only(websocket)
            try:
                question = Question.model_validate_json(text)
            except ValidationError:
                await send(Answer(id=None, error="Not a question"))
                continue
            await room.acquire()
            task = asyncio.create_task(work(question))
            working.add(task)  # the event loop alone would not keep it
            task.add_done_callback(working.discard)
    except WebSocketDisconnect:
        pass
    finally:
        for task in working:
            task.cancel()  # nobody waits for these answers
