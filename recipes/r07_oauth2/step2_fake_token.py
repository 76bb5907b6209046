"""Stage 2: a token in the header. It stops a stranger who cannot guess one."""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, WebSocket
from fastapi.security import OAuth2PasswordRequestForm

from recipes.r07_oauth2.conversation import converse
from recipes.r07_oauth2.security import fake_token_generator, get_username_from_token
from recipes.r07_oauth2.users import verify

app = FastAPI(title="Fake tokens: no security at all")


@app.post("/token")
def token(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    if not verify(form.username, form.password):
        raise HTTPException(400, "Incorrect username or password")
    made = fake_token_generator(form.username)
    return {"access_token": made, "token_type": "bearer"}


@app.websocket("/secured-ws")
async def secured(
    websocket: WebSocket, username: Annotated[str, Depends(get_username_from_token)]
) -> None:
    await converse(websocket, username)
