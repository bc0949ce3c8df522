import pytest

from processors.guardrails.safety.registry import WIRES
from processors.settings import GUARD_KINDS, Settings, guard_key, master_key_text, topics_key


def test_without_an_environment_the_defaults_hold() -> None:
    settings = Settings.from_env({})
    assert (settings.brokers, settings.data, settings.in_flight, settings.drain_s) == (
        "127.0.0.1:9092", ".headgate", 4_000, 330.0,
    )  # fmt: skip
    assert not settings.log_raw_payloads


def test_variables_are_taken() -> None:
    environ = {"HEADGATE_BROKERS": "a:1,b:2", "HEADGATE_IN_FLIGHT": "7", "HEADGATE_LOG_RAW_PAYLOADS": "True"}
    settings = Settings.from_env(environ)
    assert (settings.brokers, settings.in_flight, settings.log_raw_payloads) == ("a:1,b:2", 7, True)
    assert not settings.refuse_guarded_streams
    assert Settings.from_env({"HEADGATE_REFUSE_GUARDED_STREAMS": "true"}).refuse_guarded_streams


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5"])
def test_a_variable_that_is_no_number_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="HEADGATE_IN_FLIGHT must be a whole number"):
        Settings.from_env({"HEADGATE_IN_FLIGHT": text})


def test_two_workers_of_one_machine_have_two_names() -> None:
    assert Settings.from_env({}).worker != Settings.from_env({}).worker


def test_the_master_key_comes_from_the_environment_or_the_data_directory(tmp_path: object) -> None:
    settings = Settings(data=str(tmp_path))
    assert master_key_text(settings, {"HEADGATE_MASTER_KEY": "from-env"}) == "from-env"
    with open(f"{tmp_path}/master.key", "w") as file:
        file.write("from-file\n")
    assert master_key_text(settings, {}) == "from-file"


GUARD = {
    "HEADGATE_GUARD_URL": "http://guard/v1",
    "HEADGATE_GUARD_MODEL": "llama",
    "HEADGATE_GUARD_KIND": "llama-guard-3",
}


def test_a_guard_is_taken_and_its_key_is_in_no_repr() -> None:
    environ = {**GUARD, "HEADGATE_GUARD_KEY": "sk-guard", "HEADGATE_TOPICS_KEY": "sk-topics"}
    settings = Settings.from_env(environ)
    assert (settings.guard_url, settings.guard_model, settings.guard_kind) == tuple(GUARD.values())
    assert (settings.topics_url, settings.guard_fail_open, settings.guard_timeout_s) == ("", frozenset(), 10.0)
    assert (guard_key(environ), topics_key(environ), guard_key({})) == ("sk-guard", "sk-topics", "")
    assert "sk-" not in repr(settings)


def test_every_kind_of_guard_has_its_wire() -> None:
    assert set(GUARD_KINDS) == WIRES.keys()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"HEADGATE_GUARD_KIND": ""}, "HEADGATE_GUARD_KIND must be one of llama-guard-2"),
        ({"HEADGATE_GUARD_KIND": "llama-guard"}, "HEADGATE_GUARD_KIND must be one of"),
        ({"HEADGATE_GUARD_MODEL": ""}, "HEADGATE_GUARD_MODEL is required"),
        ({"HEADGATE_GUARD_URL": "guard/v1"}, "HEADGATE_GUARD_URL must begin with"),
        ({"HEADGATE_TOPICS_URL": "http://judge/v1"}, "HEADGATE_TOPICS_MODEL is required"),
    ],
)
def test_half_a_guard_is_refused_by_name(change: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Settings.from_env(GUARD | change)


@pytest.mark.parametrize(("text", "endpoints"), [("", set()), ("False", set()), ("true", {"*"}), ("a, b,", {"a", "b"})])
def test_who_fails_open_is_nobody_everybody_or_who_is_named(text: str, endpoints: set[str]) -> None:
    assert Settings.from_env({"HEADGATE_GUARD_FAIL_OPEN": text}).guard_fail_open == endpoints
