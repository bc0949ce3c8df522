"""`ai_query` with images: the parts of a message, and files that are none."""

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from launcher.broker import Broker
from tests.spark_jobs.gateway import Gateway
from tests.spark_jobs.test_ai_query_cli import properties, spark_sql
from tests.support.provider import ScriptedProvider
from tests.support.services import Services

IMAGES = {
    "image/png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "image/gif": b"GIF89a\x01\x00",
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
}


@pytest.fixture
def provider_of_images() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


def part(media_type: str) -> dict[str, Any]:
    """The image of that type as a message holds it."""
    url = f"data:{media_type};base64,{base64.b64encode(IMAGES[media_type]).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def sql(data: bytes) -> str:
    """The bytes as SQL writes them."""
    return f"X'{data.hex()}'"


@pytest.mark.parametrize("media_type", IMAGES)
def test_an_image_goes_beside_the_text(people: SparkSession, gateway: Gateway, media_type: str) -> None:
    people.sql(f"SELECT ai_query('ep', 'what is it?', files => {sql(IMAGES[media_type])})").collect()
    text = {"type": "text", "text": "what is it?"}
    assert gateway.asked[-1][2]["messages"] == [{"role": "user", "content": [text, part(media_type)]}]


def test_files_is_the_seventh_argument_and_may_be_null_for_a_row(people: SparkSession, gateway: Gateway) -> None:
    image = f"IF(id = 1, {sql(IMAGES['image/gif'])}, null)"
    before = len(gateway.asked)
    people.sql(f"SELECT ai_query('ep', id, null, true, null, null, {image}) FROM range(2)").collect()
    contents = [body["messages"][0]["content"] for _, _, body in gateway.asked[before:]]
    assert sorted(contents, key=str) == ["0", [{"type": "text", "text": "1"}, part("image/gif")]]
    people.sql("SELECT ai_query('ep', 'x', files => null)").collect()
    assert gateway.asked[-1][2]["messages"] == [{"role": "user", "content": "x"}]


def test_each_element_of_an_array_may_be_an_image(people: SparkSession, gateway: Gateway) -> None:
    images = ", ".join(map(sql, IMAGES.values()))
    before = len(gateway.asked)
    people.sql(f"SELECT transform(array({images}), v -> ai_query('ep', 'x', files => v))").collect()
    seen = [body["messages"][0]["content"][1] for _, _, body in gateway.asked[before:]]
    assert sorted(seen, key=str) == sorted(map(part, IMAGES), key=str)


@pytest.mark.parametrize("data", [b"", b"\x89PNG", b"%PDF-1.7", b"RIFF\x24\x00\x00\x00WAVE", b"<svg/>"])
def test_a_file_that_is_no_image_is_an_error_of_its_row(people: SparkSession, gateway: Gateway, data: bytes) -> None:
    why = "files holds no PNG, JPEG, GIF or WebP image"
    before = len(gateway.asked)
    [row] = people.sql(f"SELECT ai_query('ep', 'x', failOnError => false, files => {sql(data)}) AS a").collect()
    assert row["a"].asDict() == {"result": None, "errorMessage": why}
    with pytest.raises(PySparkException, match=why):
        people.sql(f"SELECT ai_query('ep', 'x', files => {sql(data)})").collect()
    assert len(gateway.asked) == before


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("'ep', 'x', files => 'text'", "needs a BINARY for files"),
        ("'ep', 'x', files => array(X'00')", "needs a BINARY for files"),
        ("'vectors', 'x', files => X'00'", "takes files only for an endpoint of the task llm/v1/chat"),
        ("'completions', 'x', files => X'00'", "takes files only for an endpoint of the task llm/v1/chat"),
        ("'ep', named_struct('messages', array()), files => X'00'", "takes files beside a text"),
    ],
)
def test_files_where_they_cannot_go_are_refused(people: SparkSession, call: str, why: str) -> None:
    with pytest.raises(PySparkException, match=why):
        people.sql(f"SELECT ai_query({call})").collect()


def test_of_very_large_images_only_a_few_are_open_at_once(people: SparkSession, gateway: Gateway) -> None:
    image = f"{sql(IMAGES['image/png'])} || CAST(repeat(id, 8000000) AS BINARY)"
    gateway.held = threading.Barrier(8, timeout=5)  # the eighth call must not come while the first is open
    gateway.most_open, before = 0, len(gateway.asked)
    people.sql(f"SELECT ai_query('held', id, files => {image}) FROM range(0, 8, 1, 1)").collect()
    assert len(gateway.asked) - before == 8
    assert gateway.most_open == 5  # 32 MB and the one that goes over it
    del gateway.asked[before:]


def test_the_provider_gets_text_and_image_through_the_gateway(
    broker: Broker, jars: Path, tmp_path: Path, provider_of_images: ScriptedProvider
) -> None:
    image = part("image/png")
    words = [image["image_url"]["url"][22:30]]  # a guardrail that looked into images would block this one
    mask = {"pii": {"behavior": "MASK"}, "invalid_keywords": words}
    with Services(broker.address, tmp_path / "gateway") as services:
        services.endpoint("seeing", provider_of_images.url, "seeing", guardrails={"input": mask})
        query = f"SELECT ai_query('seeing', 'write to a@b.com', files => {sql(IMAGES['image/png'])})"
        where = {"HEADGATE_URL": services.url, "HEADGATE_TOKEN": services.token}
        spark_sql(query, properties(jars, tmp_path), tmp_path, **where)
        (row,) = services.logged_once("seeing", 1)
    (got,) = provider_of_images.of("seeing")
    text, seen = got.body["messages"][0]["content"]
    assert seen == image
    assert text["type"] == "text"
    assert text["text"].startswith("write to ")
    assert "a@b.com" not in text["text"]
    assert "client_request_id" not in got.body
    assert row.client_request_id is not None
    assert row.client_request_id.startswith("ai_query-")
