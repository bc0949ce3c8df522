"""A record of Kafka's as a submission."""

from types import SimpleNamespace

from ingress.submission_bus import submission


def test_header_names_are_folded_the_first_of_two_counts_and_an_empty_one_is_no_error() -> None:
    headers = [("Authorization", b"Bearer a"), ("authorization", b"Bearer b"), ("reply-topic", None)]
    record = SimpleNamespace(partition=2, offset=7, timestamp=1_700, key=None, value=b"{}", headers=headers)
    read = submission(record)
    assert (read.partition, read.offset, read.timestamp_ms, read.key, read.value) == (2, 7, 1_700, None, b"{}")
    assert read.headers == {"authorization": b"Bearer a", "reply-topic": b""}
