"""E-mail addresses in linear time, with the public suffix list that is already on the disk."""

import re

from presidio_analyzer import LocalRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from tldextract import TLDExtract

from processors.guardrails.pii_results import result

ENTITY = "EMAIL_ADDRESS"
LOCAL_LIMIT, DOMAIN_LIMIT = 64, 255  # RFC 5321 4.5.3.1
_SIGN = re.compile(r"@|%40")
_LOCAL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._%+'\-]{0,62}[A-Za-z0-9_+\-])?\Z")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9\-]{1,23}")
_LABELS_TRIMMED = 4  # "joe@example.com.Then" has one label too many


class EmailRecognizer(LocalRecognizer):  # type: ignore[misc]
    """For each sign: the local part to its left, a domain with a known suffix to its right."""

    def __init__(self) -> None:
        # No address and no cache: the list inside the package, no download, no file written.
        self._suffixes = TLDExtract(suffix_list_urls=(), cache_dir=None)
        super().__init__(supported_entities=[ENTITY], context=["email", "mail"])

    def load(self) -> None:
        """Read the suffix list now, not at the first e-mail."""
        self._suffixes("example.com")

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Find addresses; one after a blank has no local part and starts at its sign."""
        found = []
        for sign in _SIGN.finditer(text):
            start = self._local_start(text, sign.start())
            if start is not None and (end := self._domain_end(text, sign.end())):
                found.append(result(self, ENTITY, (start, end), 1.0))
        return found

    @staticmethod
    def _local_start(text: str, sign: int) -> int | None:
        left = max(0, sign - LOCAL_LIMIT)
        if local := _LOCAL.search(text[left:sign]):
            return left + local.start()
        # The blank may stand for a letter of a script without spaces; the detector decides.
        return sign if sign and text[sign - 1] == " " else None

    def _domain_end(self, text: str, start: int) -> int | None:
        match = _DOMAIN.match(text[start : start + DOMAIN_LIMIT])
        domain = match[0] if match else ""
        for _ in range(_LABELS_TRIMMED):
            if domain and self._suffixes(domain).fqdn:
                return start + len(domain)
            domain = domain.rpartition(".")[0]
        return None
