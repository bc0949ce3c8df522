"""Which category a guard means by its code. The keys are the vendor's, hyphenated; a guard's other classes add keys.

The numbers of Llama Guard 2 and of its successors differ from S5 on: read by the wrong table, hate becomes self-harm.
"""

from collections.abc import Iterable, Mapping

VENDOR = (
    "violent-crimes",
    "non-violent-crimes",
    "sex-crimes",
    "child-exploitation",
    "specialized-advice",
    "privacy",
    "intellectual-property",
    "indiscriminate-weapons",
    "hate",
    "self-harm",
    "sexual-content",
)

LLAMA_GUARD_2: Mapping[str, str] = {f"S{number}": key for number, key in enumerate(VENDOR, 1)}

LLAMA_GUARD_3: Mapping[str, str] = {
    "S1": "violent-crimes",
    "S2": "non-violent-crimes",
    "S3": "sex-crimes",
    "S4": "child-exploitation",
    "S5": "defamation",
    "S6": "specialized-advice",
    "S7": "privacy",
    "S8": "intellectual-property",
    "S9": "indiscriminate-weapons",
    "S10": "hate",
    "S11": "self-harm",
    "S12": "sexual-content",
    "S13": "elections",
    "S14": "code-interpreter-abuse",
}
LLAMA_GUARD_4 = LLAMA_GUARD_3

# The nearest of the vendor's keys; `harassment` has none.
OPENAI: Mapping[str, str] = {
    "harassment": "harassment",
    "harassment/threatening": "harassment",
    "hate": "hate",
    "hate/threatening": "hate",
    "illicit": "non-violent-crimes",
    "illicit/violent": "violent-crimes",
    "self-harm": "self-harm",
    "self-harm/intent": "self-harm",
    "self-harm/instructions": "self-harm",
    "sexual": "sexual-content",
    "sexual/minors": "child-exploitation",
    "violence": "violent-crimes",
    "violence/graphic": "violent-crimes",
}

SHIELD_GEMMA: Mapping[str, str] = {
    "dangerous content": "dangerous-content",
    "harassment": "harassment",
    "hate speech": "hate",
    "sexually explicit": "sexual-content",
}


def flags(taxonomy: Mapping[str, str], found: Iterable[str]) -> dict[str, bool]:
    """Every category with whether it was found: the vendor's first, then what the taxonomy has besides."""
    hits = set(found)
    return {key: key in hits for key in dict.fromkeys((*VENDOR, *taxonomy.values(), *sorted(hits)))}
