"""What each failure does, over the real broker: nothing accepted is lost, rows equal answered requests."""

import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import requests

from contract.records import RequestLogged
from launcher.broker import Broker
from launcher.java import Java
from tests.support.provider import Reply, ScriptedProvider
from tests.support.services import Services, until


def _ask_timed(gateway: Services, endpoint: str, n: int) -> tuple[int, float, str]:
    """Status (0 for a broken connection), seconds, request id."""
    started = time.monotonic()
    try:
        answer = requests.post(
            f"{gateway.url}/serving-endpoints/{endpoint}/invocations",
            json={"messages": [{"role": "user", "content": str(n)}]},
            headers={"Authorization": f"Bearer {gateway.token}"},
            timeout=90,
        )
    except requests.ConnectionError:
        return 0, time.monotonic() - started, ""
    return answer.status_code, time.monotonic() - started, answer.headers["x-databricks-request-id"]


def _statuses(rows: list[RequestLogged]) -> Counter[int]:
    return Counter(row.status_code for row in rows)


def test_killing_a_worker_loses_no_request_in_flight(
    broker: Broker, provider: ScriptedProvider, tmp_path: Path
) -> None:
    with Services(broker.address, tmp_path, workers=2) as gateway, ThreadPoolExecutor(24) as callers:
        gateway.endpoint("killed", provider.url, "killed-model")
        provider.script("killed-model", Reply(delay_s=2.0))
        asked = [callers.submit(_ask_timed, gateway, "killed", n) for n in range(24)]
        until(lambda: provider.in_flight == 24, 20, "all requests at the provider")
        gateway.workers[0].kill()
        answered = [future.result() for future in asked]
        assert [status for status, _, _ in answered] == [200] * 24
        rows = gateway.logged_once("killed", 24)
        assert sorted(row.request_id for row in rows) == sorted(request_id for _, _, request_id in answered)


def test_a_worker_joins_and_leaves_under_load_without_delay(
    broker: Broker, provider: ScriptedProvider, tmp_path: Path
) -> None:
    """Calls of 3 s, a new one each 100 ms: none is answered later than 2 s past its provider's time."""
    with Services(broker.address, tmp_path, workers=1) as gateway, ThreadPoolExecutor(80) as callers:
        gateway.endpoint("moving", provider.url, "moving-model")
        provider.script("moving-model", Reply(delay_s=3.0))
        asked: list[Future[tuple[int, float, str]]] = []

        def load(seconds: float) -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                asked.append(callers.submit(_ask_timed, gateway, "moving", len(asked)))
                time.sleep(0.1)  # the load's own pace, not a wait for anything

        load(4)
        second = gateway.add_worker(ready=False)
        while not second.has_logged("assigned"):
            load(0.5)
        load(4)
        stopping = callers.submit(second.stop)
        load(6)
        answered = [future.result() for future in asked]
        assert stopping.result() == 0
        assert {status for status, _, _ in answered} == {200}
        assert max(seconds for _, seconds, _ in answered) < 5.0
        assert len(gateway.logged_once("moving", len(answered))) == len(answered)
        assert len(provider.of("moving-model")) == len(answered), "no request was called twice"


def test_a_lost_worker_after_a_hand_over_leaves_no_request_without_a_row(
    broker: Broker, provider: ScriptedProvider, tmp_path: Path
) -> None:
    with Services(broker.address, tmp_path, workers=2) as gateway, ThreadPoolExecutor(16) as callers:
        gateway.endpoint("orphaned", provider.url, "orphaned-model")
        provider.script("orphaned-model", Reply(delay_s=60.0))
        asked = [callers.submit(_ask_timed, gateway, "orphaned", n) for n in range(16)]
        until(lambda: provider.in_flight == 16, 20, "all requests at the provider")
        leaving = gateway.workers[0]
        leaving.process.terminate()
        until(lambda: leaving.has_logged("handed_over"), 10, "the leaving worker has handed over")
        until(lambda: len(gateway.workers[1].events()) and leaving.has_logged("leaving_group"), 10, "it has left")
        handed = next(e["requests"] for e in leaving.events() if e["event"] == "handed_over")
        leaving.kill()
        rows = gateway.logged_once("orphaned", handed, within_s=30)
        assert _statuses(rows) == {500: handed}
        assert {row.refusal for row in rows} == {"worker_lost"}
        until(lambda: sum(future.done() for future in asked) == handed, 10, "their callers have an answer")
        gateway.ingress.kill()
        assert Counter(future.result()[0] for future in asked) == {500: handed, 0: 16 - handed}


def test_a_command_whose_worker_died_before_its_answer_is_answered_as_if_it_had_lived(
    broker: Broker, provider: ScriptedProvider, tmp_path: Path
) -> None:
    with (
        Services(broker.address, tmp_path, workers=1, HEADGATE_COMMAND_SECONDS="60") as gateway,
        ThreadPoolExecutor(1) as callers,
    ):
        assert gateway.workers[0].stop() == 0
        dying = gateway.start("worker-dying", "tests.stack.killed_worker").wait_ready()
        model = {
            "name": "finished-model",
            "provider": "openai",
            "task": "llm/v1/chat",
            "openai_config": {"openai_api_key_plaintext": "sk-test", "openai_api_base": provider.url},
        }
        entity = {"name": "finished-model", "external_model": model}
        body = {"name": "finished", "config": {"served_entities": [entity]}}
        asked = callers.submit(gateway.call, "POST", "/api/2.0/serving-endpoints", body)
        until(lambda: dying.process.poll() is not None, 20, "the worker is killed")
        gateway.add_worker()
        answer = asked.result()
        assert answer.status_code == 200, answer.text
        there = gateway.call("GET", "/api/2.0/serving-endpoints/finished").json()
        assert there["id"] == answer.json()["id"]
        assert gateway.call("POST", "/api/2.0/serving-endpoints", body).status_code == 409


def test_a_killed_ingress_still_leaves_every_row(broker: Broker, provider: ScriptedProvider, tmp_path: Path) -> None:
    with Services(broker.address, tmp_path, workers=1) as gateway, ThreadPoolExecutor(8) as callers:
        gateway.endpoint("faceless", provider.url, "faceless-model")
        provider.script("faceless-model", Reply(delay_s=1.0))
        asked = [callers.submit(_ask_timed, gateway, "faceless", n) for n in range(8)]
        until(lambda: provider.in_flight == 8, 20, "all requests at the provider")
        gateway.ingress.kill()
        assert [future.result()[0] for future in asked] == [0] * 8
        assert _statuses(gateway.logged_once("faceless", 8)) == {200: 8}


def test_a_broker_that_is_gone_for_five_seconds_loses_nothing(
    found_java: Java, jars_at: Path, provider: ScriptedProvider, tmp_path: Path
) -> None:
    """New requests get 503 within 2 s, what was accepted is answered, traffic resumes by itself."""
    with (
        Broker(tmp_path / "kafka", found_java, jars_at) as broker,
        Services(broker.address, tmp_path / "data", workers=1) as gateway,
        ThreadPoolExecutor(8) as callers,
    ):
        gateway.endpoint("patient", provider.url, "patient-model")
        provider.script("patient-model", Reply(delay_s=2.0))
        accepted = [callers.submit(_ask_timed, gateway, "patient", n) for n in range(8)]
        until(lambda: provider.in_flight == 8, 20, "all requests at the provider")
        broker.kill()
        down_until = time.monotonic() + 5
        refused = []
        while time.monotonic() < down_until:
            refused.append(_ask_timed(gateway, "patient", 99))
        assert {status for status, _, _ in refused} == {503}
        assert max(seconds for _, seconds, _ in refused) < 2.0
        broker.start()
        assert [future.result()[0] for future in accepted] == [200] * 8
        provider.script("patient-model", Reply())
        until(lambda: _ask_timed(gateway, "patient", 100)[0] == 200, 30, "traffic resumes by itself")
        rows = gateway.logged_once("patient", 9)
        assert {future.result()[2] for future in accepted} <= {row.request_id for row in rows}
        assert "Unclosed" not in gateway.ingress.log.read_text()


def test_windows_survive_the_worker_that_counted_them(
    broker: Broker, provider: ScriptedProvider, tmp_path: Path
) -> None:
    limit = {"calls": 5, "key": "endpoint", "renewal_period": "minute"}
    with Services(broker.address, tmp_path, workers=1) as gateway:
        gateway.endpoint("counted", provider.url, "counted-model", rate_limits=[limit])
        assert [gateway.ask("counted").status_code for _ in range(3)] == [200] * 3
        gateway.logged_once("counted", 3)
        gateway.workers[0].kill()
        gateway.add_worker()
        assert [gateway.ask("counted").status_code for _ in range(4)] == [200, 200, 429, 429]
