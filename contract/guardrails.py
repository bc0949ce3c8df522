"""Guardrails as asked for and as kept: the vendor's fields, and in `extensions` what the vendor does not have.

Kept structs are echoed by encoding them: their field order is the vendor's key order.
"""

from typing import Literal

import msgspec

UNSEEN = (  # characters without width, as a class of a pattern: texts are compared without them
    "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069"
    "\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f\U000e0100-\U000e01ef"
)
PiiBehavior = Literal["NONE", "BLOCK", "MASK"]
Category = Literal[  # Presidio's names; where two overlap and neither is better, the earlier one counts
    "IBAN_CODE",
    "IP_ADDRESS",
    "US_ITIN",
    "UK_NHS",
    "UK_NINO",
    "ES_NIF",
    "ES_NIE",
    "IT_FISCAL_CODE",
    "IT_IDENTITY_CARD",
    "DE_ID_CARD",
    "DE_SOCIAL_SECURITY",
    "DE_TAX_ID",
    "PL_PESEL",
    "FI_PERSONAL_IDENTITY_CODE",
    "SE_PERSONNUMMER",
    "CA_SIN",
    "AU_TFN",
    "AU_MEDICARE",
    "IN_PAN",
    "IN_AADHAAR",
    "KR_RRN",
    "KR_FRN",
    "SG_NRIC_FIN",
    "TH_TNIN",
    "TR_NATIONAL_ID",
    "NG_NIN",
    "ZA_ID_NUMBER",
    "US_PASSPORT",
    "UK_PASSPORT",
    "DE_PASSPORT",
    "ES_PASSPORT",
    "IT_PASSPORT",
    "IN_PASSPORT",
    "KR_PASSPORT",
    "PH_PASSPORT",
    "ZA_PASSPORT",
]


class Extensions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One side's guardrails beyond the vendor's; without them all is as the vendor has it.

    `pii_categories`: looked for besides the five US categories. `whole_words`: a keyword does not count inside a word.
    `tool_calls`: arguments of tool calls and what tools said are guarded like other texts.
    `prompt_injection`: asked of a model; input alone. `fail_open`: served without the verdict of a model that fails.
    `reversible`: masked values are put back into the answer; input alone, behaviour MASK.
    `observe`: findings are logged, and nothing is blocked or masked.
    """

    pii_categories: tuple[Category, ...] = ()
    whole_words: bool = False
    tool_calls: bool = False
    prompt_injection: bool = False
    fail_open: bool = False
    reversible: bool = False
    observe: bool = False


NO_EXTENSIONS = Extensions()


class ExtensionsAsked(Extensions, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Extensions as asked for: a misspelt guardrail is refused, for nobody would notice that it does not hold."""


class PiiAsked(msgspec.Struct, frozen=True, kw_only=True):
    """PII behaviour as asked for."""

    behavior: PiiBehavior = "NONE"


class GuardrailAsked(msgspec.Struct, frozen=True, kw_only=True):
    """One side's guardrails as asked for; the legacy `pii_detection` is ignored (api-contract 2.1)."""

    safety: bool | None = None
    pii: PiiAsked | None = None
    invalid_keywords: tuple[str, ...] | None = None
    valid_topics: tuple[str, ...] | None = None
    extensions: ExtensionsAsked | None = None


class GuardrailsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Guardrails as asked for."""

    input: GuardrailAsked | None = None
    output: GuardrailAsked | None = None


# ---- as kept and echoed ----


class Pii(msgspec.Struct, frozen=True, kw_only=True):
    """PII behaviour as kept."""

    behavior: PiiBehavior


class Guardrail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One side's guardrails as kept; `pii_detection` is the derived legacy flag."""

    safety: bool
    pii_detection: bool
    pii: Pii
    invalid_keywords: tuple[str, ...] | None = None
    valid_topics: tuple[str, ...] | None = None
    extensions: Extensions | None = None

    @property
    def beyond(self) -> Extensions:
        """The extensions, all of them off where none is kept."""
        return self.extensions or NO_EXTENSIONS


class Guardrails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Guardrails as kept; a side that was not sent is absent."""

    input: Guardrail | None = None
    output: Guardrail | None = None
