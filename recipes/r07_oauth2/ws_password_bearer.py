"""A bearer scheme for sockets, as it had to be written before FastAPI had one."""

from fastapi import HTTPException, WebSocket
from fastapi.security.utils import get_authorization_scheme_param


class OAuth2WebSocketPasswordBearer:
    """Takes the token out of the `Authorization` header of a handshake.

    Raises HTTPException 401 if the header is missing or is not `Bearer <token>`
    (RFC 6750 §2.1). FastAPI's own `OAuth2PasswordBearer` takes sockets by now.
    """

    async def __call__(self, websocket: WebSocket) -> str:
        header = websocket.headers.get("Authorization")
        scheme, token = get_authorization_scheme_param(header)
        if scheme.lower() != "bearer" or not token:
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
        return token
