"""Clients that take no more from an answer's server than there is room and time for."""

import time
from typing import Any

import httpx2
from websockets.frames import Frame
from websockets.protocol import Event
from websockets.sync.client import ClientConnection

# Bytes of a message, of all that comes on a connection, and of a page.
LARGEST_MESSAGE = 16 * 2**20
MOST_RECEIVED = 128 * 2**20
LARGEST_BODY = 2**20
# Seconds for a page, from its head to its end.
BODY_SECONDS = 4.0


class BoundedConnection(ClientConnection):
    """A connection that is given up when too much comes: it reads ahead of the test."""

    received = 0

    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame):
            # With what keeping a frame costs, since there may be many that are empty.
            self.received += len(event.data) + 200
            if self.received > MOST_RECEIVED:
                self.close_socket()
                return
        super().process_event(event)


class BoundedTransport(httpx2.BaseTransport):
    """HTTP with one server, whose pages are of a bounded size and come in time."""

    def __init__(self, address: str) -> None:
        self._address = httpx2.URL(address)
        self._transport = httpx2.HTTPTransport(verify=False, trust_env=False)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        if (url.scheme, url.host, url.port) != (
            *(self._address.scheme, self._address.host, self._address.port),
        ):
            raise httpx2.UnsupportedProtocol(f"{url} is another server's")
        # What is packed may be a thousand times as large.
        request.headers["accept-encoding"] = "identity"
        response = self._transport.handle_request(request)
        # Until here the request's own time limit held; a body has no other one.
        end = time.monotonic() + BODY_SECONDS
        body = b""
        try:
            for piece in response.iter_raw():
                body += piece
                if len(body) > LARGEST_BODY:
                    raise httpx2.ReadError(f"more than {LARGEST_BODY:,} bytes came")
                if time.monotonic() > end:
                    raise httpx2.ReadTimeout("it came too slowly")
        finally:
            response.close()
        if response.headers.get("content-encoding", "identity") != "identity":
            raise httpx2.DecodingError("it is packed, which was not asked for")
        fields: dict[str, Any] = {"extensions": response.extensions}
        headers = response.headers.raw
        return httpx2.Response(
            response.status_code, headers=headers, content=body, **fields
        )

    def close(self) -> None:
        self._transport.close()
