import pytest
from aiokafka.errors import InvalidReplicationFactorError

from contract.topics import ALL, MESSAGE_BYTES, STATE, Topic
from processors import provision


@pytest.mark.parametrize("topic", ALL, ids=lambda topic: topic.name)
def test_a_topic_keeps_for_a_time_or_compacts(topic: Topic) -> None:
    settings = provision.settings_of(topic)
    assert settings["cleanup.policy"] == topic.cleanup
    assert settings["max.message.bytes"] == str(MESSAGE_BYTES)
    assert settings.get("retention.ms") == (None if topic.retention_ms is None else str(topic.retention_ms))
    assert ("segment.bytes" in settings) == (topic.retention_ms is None)


def test_the_configuration_is_kept_for_ever() -> None:
    assert STATE.retention_ms is None


def test_a_topic_that_somebody_made_meanwhile_is_no_failure() -> None:
    provision._check([("gateway.log", 0, ""), ("gateway.log", 36, "exists")])


def test_any_other_failure_names_its_topic() -> None:
    with pytest.raises(InvalidReplicationFactorError, match=r"gateway\.log"):
        provision._check([("gateway.log", 38, "too few brokers")])
