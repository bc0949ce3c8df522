"""TCP ports on loopback: which are free."""

import errno
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
    """`port` when it is free and nobody was given it yet, else another one."""
    return port if is_free(port) and _claim(port) else some_free(1)[0]


def _claim(port: int) -> bool:
    """Note, for the whole machine and until this process ends, that `port` is given away; False when it was already.

    Of two instances that start together both find it free: nobody listens before a child is up. The note is a
    socket's name in Linux's abstract namespace, which goes with its process, however that ends.
    """
    note = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        note.bind(f"\0headgate-port-{port}")
    except OSError as problem:
        note.close()
        return problem.errno != errno.EADDRINUSE  # a system without such names: then no notes
    note.detach()
    return True
