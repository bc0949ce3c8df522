import pytest

from processors.settings import Settings, master_key_text


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
