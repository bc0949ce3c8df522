import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.guardrails.pii import build_detector
from processors.guardrails.pii_ip import ENTITY


def found(text: str) -> list[str]:
    return [text[s.start : s.end] for s in build_detector((ENTITY,)).find(text) if s.entity_type == ENTITY]


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "192.168.100.200/24",
        "2001:db8::8a2e:370:7334",
        "2001:0db8:0000:0000:0000:8a2e:0370:7334",
        "fe80::1%eth0",
        "2001:db8::/32",
        "::ffff:192.168.1.1",
        "2001:db8:1:2:3:4:192.0.2.33",
    ],
)
def test_an_address_is_found_in_a_sentence(address: str) -> None:
    for text in (f"from {address}, twice", f"({address})", f"{address}: up", f"it is {address}.", f"番号{address}です"):
        assert found(text) == [address], text


def test_a_port_and_a_wrong_prefix_length_are_no_part_of_it() -> None:
    assert found("http://10.0.0.1:8080/x 10.0.0.1/33") == ["10.0.0.1", "10.0.0.1"]


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3.4", "release 10.0.0.1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.02.03.04", "1.2.3.4x", "x1.2.3.4",
        "12:30:45", "aa:bb:cc:dd:ee:ff", "std::vector", "x[1::2]", "::", "::1", "dead::beef", "a:b:c", "2001:db8",
        "1:2:3:4:5:6:7:8:9", "10::20", "2001:db8::1::2", "2001:db8::12345",
    ],
)  # fmt: skip
def test_versions_times_and_code_are_no_addresses(text: str) -> None:
    assert found(f"see {text} there") == []


@given(st.ip_addresses(v=4))
def test_every_ipv4_address_is_found(address: ipaddress.IPv4Address) -> None:
    assert found(f"host {address} up") == [str(address)]


@given(st.integers(0x2000 << 112, 0x3FFF << 112))
def test_every_global_ipv6_address_is_found(number: int) -> None:
    address = ipaddress.IPv6Address(number)
    assert found(f"host {address} up") == [str(address)]
    assert found(f"host {address.exploded.upper()} up") == [address.exploded.upper()]
