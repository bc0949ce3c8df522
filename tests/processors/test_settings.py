import pytest

from processors.guardrails.safety.registry import INJECTION_WIRES, WIRES
from processors.settings import (
    GUARD_KINDS,
    INJECTION_KINDS,
    Settings,
    guard_key,
    injection_key,
    master_key_text,
    topics_key,
)


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
INJECTION = {
    "HEADGATE_INJECTION_URL": "http://classifier",
    "HEADGATE_INJECTION_MODEL": "prompt-guard",
    "HEADGATE_INJECTION_KIND": "classify",
}
KEYS = {name: f"sk-{name}" for name in ("HEADGATE_GUARD_KEY", "HEADGATE_TOPICS_KEY", "HEADGATE_INJECTION_KEY")}


def test_judges_are_taken_and_their_keys_are_in_no_repr() -> None:
    settings = Settings.from_env({**GUARD, **INJECTION, **KEYS})
    assert (settings.guard_url, settings.guard_model, settings.guard_kind) == tuple(GUARD.values())
    assert (settings.injection_url, settings.injection_model, settings.injection_kind) == tuple(INJECTION.values())
    assert (settings.topics_url, settings.guard_timeout_s) == ("", 10.0)
    assert (guard_key(KEYS), topics_key(KEYS), injection_key(KEYS)) == tuple(KEYS.values())
    assert guard_key({}) == topics_key({}) == injection_key({}) == ""
    assert "sk-" not in repr(settings)


def test_every_kind_of_judge_has_its_wire() -> None:
    assert set(GUARD_KINDS) == WIRES.keys()
    assert set(INJECTION_KINDS) == INJECTION_WIRES.keys()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"HEADGATE_GUARD_KIND": ""}, "HEADGATE_GUARD_KIND must be one of llama-guard-2"),
        ({"HEADGATE_GUARD_KIND": "llama-guard"}, "HEADGATE_GUARD_KIND must be one of"),
        ({"HEADGATE_GUARD_MODEL": ""}, "HEADGATE_GUARD_MODEL is required"),
        ({"HEADGATE_GUARD_URL": "guard/v1"}, "HEADGATE_GUARD_URL must begin with"),
        ({"HEADGATE_TOPICS_URL": "http://judge/v1"}, "HEADGATE_TOPICS_MODEL is required"),
        ({"HEADGATE_INJECTION_KIND": ""}, "HEADGATE_INJECTION_KIND must be one of classify, predict, chat"),
        ({"HEADGATE_INJECTION_KIND": "llama-guard-3"}, "HEADGATE_INJECTION_KIND must be one of"),
        ({"HEADGATE_INJECTION_MODEL": ""}, "HEADGATE_INJECTION_MODEL is required"),
        ({"HEADGATE_INJECTION_URL": "tcp://x"}, "HEADGATE_INJECTION_URL must begin with"),
    ],
)
def test_half_a_judge_is_refused_by_name(change: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Settings.from_env(GUARD | INJECTION | change)
