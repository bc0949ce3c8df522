"""Every provider Headgate can call, one row each."""

from collections.abc import Mapping

from processors.providers import openai
from processors.providers.base import Wire

PROVIDERS: Mapping[str, Wire] = {
    "openai": Wire(openai.call, streams_usage=True),
    "custom": Wire(openai.custom_call),
}
