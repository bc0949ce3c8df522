"""uvicorn's HTTP protocol with a bound it lacks: what comes before a body must end some time."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024


class BoundedHeads(HttpToolsProtocol):
    """Drops a connection whose request line and headers exceed `HEAD_BYTES`: no token is needed to send them."""

    _head_bytes = 0
    _in_head = False

    def on_message_begin(self) -> None:
        """A request starts."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.transport.abort()
