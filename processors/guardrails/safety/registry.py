"""The guards that can be configured, by kind: a row for each."""

from collections.abc import Mapping

from processors.guardrails.safety import classifier, injection, llama_guard, moderations, shield_gemma, taxonomy
from processors.guardrails.safety.base import Wire

WIRES: Mapping[str, Wire] = {
    "llama-guard-2": llama_guard.wire(taxonomy.LLAMA_GUARD_2),
    "llama-guard-3": llama_guard.wire(taxonomy.LLAMA_GUARD_3),
    "llama-guard-4": llama_guard.wire(taxonomy.LLAMA_GUARD_4),
    "openai-moderations": moderations.WIRE,
    "shieldgemma": shield_gemma.WIRE,
}
INJECTION_WIRES: Mapping[str, Wire] = {
    "classify": classifier.CLASSIFY,
    "predict": classifier.PREDICT,
    "chat": injection.WIRE,
}
