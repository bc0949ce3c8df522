"""The contract's records as Spark types, so that a new field is written down once."""

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DoubleType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
)

CORRUPT = "_corrupt"
SCALARS: Mapping[Any, DataType] = {str: StringType(), int: LongType(), float: DoubleType(), bool: BooleanType()}


def struct_type(record: type[msgspec.Struct]) -> StructType:
    """A record's fields in their order, all nullable: what is missing is judged after reading, not by the reader."""
    fields = msgspec.structs.fields(record)
    return StructType([StructField(field.encode_name, spark_type(field.type)) for field in fields])


def spark_type(hint: Any) -> DataType:
    """The Spark type of a field's annotation; TypeError for one no record uses."""
    if hint in SCALARS:
        return SCALARS[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return StringType()
    if origin in (Union, types.UnionType):
        [inner] = [argument for argument in arguments if argument is not type(None)]
        return spark_type(inner)
    if origin is tuple:
        return ArrayType(spark_type(arguments[0]))
    if origin is dict:
        return MapType(spark_type(arguments[0]), spark_type(arguments[1]))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return struct_type(hint)
    raise TypeError(f"no Spark type for {hint!r}")


def required(record: type[msgspec.Struct]) -> list[str]:
    """Names of the fields a record cannot be without."""
    return [field.encode_name for field in msgspec.structs.fields(record) if field.required]


def readable(record: type[msgspec.Struct]) -> StructType:
    """The reader's schema: the record and a column for text that is none."""
    return struct_type(record).add(CORRUPT, StringType())


def with_defaults(record: type[msgspec.Struct], read: Column) -> Column:
    """A struct read with `readable`, without its corrupt column; fields left out have the record's defaults."""
    return F.struct(*(_defaulted(field, read[field.encode_name]) for field in msgspec.structs.fields(record)))


def _defaulted(field: msgspec.structs.FieldInfo, value: Column) -> Column:
    if field.default == ():
        value = F.coalesce(value, F.array().cast(spark_type(field.type)))
    elif isinstance(field.default, (str, int, float)):
        value = F.coalesce(value, F.lit(field.default))
    return value.alias(field.encode_name)
