"""TCP ports on loopback: which are free."""

import socket


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody could listen on `port` now; a port in TIME_WAIT counts as free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def some_free(count: int) -> list[int]:
    """As many different free ports, picked by the system."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def preferred(port: int) -> int:
    """`port` when it is free, else another one."""
    return port if is_free(port) else some_free(1)[0]
