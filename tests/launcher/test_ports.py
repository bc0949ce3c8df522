"""Ports: taken, free, remembered."""

import socket
from pathlib import Path

from launcher import broker, ports


def listener(port: int = 0) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def test_a_port_somebody_listens_on_is_not_free() -> None:
    with listener() as taken:
        assert not ports.is_free(taken.getsockname()[1])


def test_ports_picked_together_differ() -> None:
    picked = ports.some_free(20)
    assert len(set(picked)) == 20
    assert all(ports.is_free(port) for port in picked)


def test_a_preferred_port_gives_way_only_when_taken() -> None:
    (free,) = ports.some_free(1)
    assert ports.preferred(free) == free
    with listener() as taken:
        port = taken.getsockname()[1]
        assert ports.preferred(port) != port


def test_the_broker_keeps_its_ports_over_a_restart(tmp_path: Path) -> None:
    first = broker.choose_ports(tmp_path / "ports.json")
    assert broker.choose_ports(tmp_path / "ports.json") == first


def test_the_broker_moves_when_somebody_took_a_port_of_its(tmp_path: Path) -> None:
    first = broker.choose_ports(tmp_path / "ports.json")
    with listener(first.controller):
        second = broker.choose_ports(tmp_path / "ports.json")
    assert second != first
    assert broker.choose_ports(tmp_path / "ports.json") == second


def test_a_damaged_note_of_the_ports_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")
    chosen = broker.choose_ports(tmp_path / "ports.json")
    assert broker.choose_ports(tmp_path / "ports.json") == chosen


def test_a_port_that_accepts_and_says_nothing_is_no_broker_in_service() -> None:
    with listener() as mute:
        assert not broker.answers(mute.getsockname()[1])


def test_a_port_nobody_listens_on_is_no_broker_in_service() -> None:
    assert not broker.answers(ports.some_free(1)[0])
