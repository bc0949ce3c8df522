"""The contract's records as Spark types."""

from typing import Literal

import msgspec
import pytest
from pyspark.sql.types import ArrayType, LongType, MapType, StringType, StructField, StructType

from contract.records import RequestLogged
from spark_jobs import schemas


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    word: Literal["a", "b"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    text: str | None = None
    pairs: dict[str, str] | None = None
    many: tuple[Inner, ...] = ()


def test_a_record_becomes_a_struct_with_its_fields_in_order() -> None:
    inner = StructType([StructField("word", StringType())])
    assert schemas.struct_type(Record) == StructType(
        [
            StructField("number", LongType()),
            StructField("text", StringType()),
            StructField("pairs", MapType(StringType(), StringType())),
            StructField("many", ArrayType(inner)),
        ]
    )


def test_what_has_no_default_is_required() -> None:
    assert schemas.required(Record) == ["number"]


def test_the_event_log_has_a_type_for_every_field() -> None:
    assert len(schemas.struct_type(RequestLogged)) == len(msgspec.structs.fields(RequestLogged))


def test_a_type_no_record_uses_is_refused() -> None:
    with pytest.raises(TypeError):
        schemas.spark_type(bytes)
