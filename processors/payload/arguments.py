"""The arguments of tool calls: JSON inside a string, read piece by piece as the texts that it stands for.

An escape such as `\\u0040` hides what a string says, so guardrails read strings unescaped. What stands there unquoted,
a number mostly, is read when it is over. Anything is taken, broken JSON too; what does not begin as JSON is one text.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

LEAD = 60  # characters of a key that tell what its value is
_BEGINS = frozenset('{["-0123456789')
_CHARACTERS = re.compile(r'[^"\\]+')
_BETWEEN = re.compile(r"[\s{}\[\],:]+")
_BARE = re.compile(r'[^"{}\[\],:]+')
_ESCAPE = re.compile(
    r"\\(?:u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|u(?P<code>[0-9a-fA-F]{4})|(?P<short>[\"\\/bfnrt]))"
)
_HALF = re.compile(r"\\(?:u[0-9a-fA-F]{0,3}|u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?)?\Z")
_TOKEN = re.compile(
    r"(?P<between>[\s{}\[\],:]+)|\"(?P<said>[^\"\\]*+(?:\\(?:.|\Z)[^\"\\]*+)*+)\"?|(?P<bare>[^\"{}\[\],:]+)", re.DOTALL
)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Token(NamedTuple):
    """What was read. `between`: to be left as it is; `text`: a piece of what no JSON is.

    `open`, `said`, `close`: a string, unescaped, in pieces; `bare`: something unquoted, whole.
    `open` and `bare` have in `lead` the key before it, which is what a reader has read when he comes to the value.
    """

    kind: Literal["between", "text", "open", "said", "close", "bare"]
    text: str
    lead: str = ""


class Scanner:
    """A state machine: `feed` pieces, then `finish` once. The tokens join to the same however a text is cut."""

    def __init__(self) -> None:
        self._rest = ""  # came, but cannot be told without what follows
        self._bare: list[str] = []
        self._inside = False
        self._json: bool | None = None
        self._string = ""  # the beginning of the string read last, until it is known to be a key
        self._lead = ""

    def feed(self, piece: str) -> Iterator[Token]:
        """The tokens that are sure by now."""
        text, self._rest = self._rest + piece, ""
        if self._json is None:
            blanks = len(text) - len(text.lstrip())
            if blanks:
                yield Token("between", text[:blanks])
            text = text[blanks:]
            self._json = text[0] in _BEGINS if text else None
        if self._json:
            yield from self._tokens(text, final=False)
        elif text:
            yield Token("text", text)

    def finish(self) -> Iterator[Token]:
        """The rest, also of what ends too early."""
        text, self._rest = self._rest, ""
        yield from self._tokens(text, final=True)
        yield from self._bare_token()
        if self._inside:
            self._inside = False
            yield Token("close", "")

    def _tokens(self, text: str, *, final: bool) -> Iterator[Token]:
        at = 0
        while at < len(text):
            if not self._inside:
                token, at = self._outside(text, at)
                yield from token
            elif text[at] == "\\" and not final and _HALF.match(text, at):
                self._rest = text[at:]
                return
            else:
                one, at = self._in_string(text, at)
                yield one

    def _in_string(self, text: str, at: int) -> tuple[Token, int]:
        if text[at] == '"':
            self._inside = False
            return Token("close", '"'), at + 1
        run = _CHARACTERS.match(text, at) or _ESCAPE.match(text, at)
        said = "\\" if run is None else _unescaped(run) if text[at] == "\\" else run[0]
        if len(self._string) < LEAD:
            self._string += said[:LEAD]
        return Token("said", said), at + 1 if run is None else run.end()

    def _outside(self, text: str, at: int) -> tuple[list[Token], int]:
        if text[at] == '"':
            before = list(self._bare_token())
            self._inside, self._string = True, ""
            return [*before, Token("open", '"', self._lead)], at + 1
        run = None if self._bare else _BETWEEN.match(text, at)
        if run is None:
            run = _BARE.match(text, at)
            if run is not None:
                self._bare.append(run[0])
                self._string = ""
                return [], run.end()
            run = _BETWEEN.match(text, at)
            assert run is not None  # noqa: S101 - the patterns leave out no character
        sign = run[0].lstrip()[:1]
        if sign == ":" and self._string:
            self._lead = _lead(self._string)
        if sign:
            self._string = ""
        return [*self._bare_token(), Token("between", run[0])], run.end()

    def _bare_token(self) -> Iterator[Token]:
        """What stood there unquoted, and the blanks after it."""
        whole = "".join(self._bare)
        self._bare.clear()
        said = whole.rstrip()
        if said:
            yield Token("bare", said, self._lead)
        if said != whole:
            yield Token("between", whole[len(said) :])


def _unescaped(escape: re.Match[str]) -> str:
    short, high = escape["short"], escape["high"]
    if short is not None:
        return _SHORT.get(short, short)
    if high is not None:
        return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(escape["low"], 16) & 0x3FF))
    code = int(escape["code"], 16)
    return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)  # half a character is none


def _lead(key: str) -> str:
    """The key without digits and signs: it tells what a value is, and never is a part of it."""
    words = "".join(one if one.isalpha() or one in "_.- " else "_" for one in key[:LEAD])
    return f"{words}: " if any(map(str.isalpha, words)) else ""


class Said(NamedTuple):
    """What whole arguments say in one place. `start`, `end`: where it stands, without quotes."""

    text: str
    lead: str
    kind: Literal["text", "said", "bare"]
    start: int
    end: int


def said(text: str) -> list[Said]:
    """What whole arguments say, read as `Scanner` does: strings that are not empty, and what stands there unquoted."""
    start = len(text) - len(text.lstrip())
    if text[start : start + 1] not in _BEGINS:
        return [Said(text[start:], "", "text", start, len(text))] if start < len(text) else []
    found: list[Said] = []
    leads: dict[str, str] = {}
    key = lead = ""
    for token in _TOKEN.finditer(text, start):
        if token.lastgroup == "between":
            sign = token[0].lstrip()[:1]
            if sign == ":" and key:
                lead = leads[key] if key in leads else leads.setdefault(key, _lead(key))
            key = "" if sign else key
        elif token.lastgroup == "said":
            read = token["said"] if "\\" not in token["said"] else _ESCAPE.sub(_unescaped, token["said"])
            key = read[:LEAD]
            if read:
                found.append(Said(read, lead, "said", *token.span("said")))
        else:
            read, key = token[0].rstrip(), ""
            found.append(Said(read, lead, "bare", token.start(), token.start() + len(read)))
    return found


def saying(text: str, others: Iterator[str]) -> str:
    """The arguments with the next of `others` in place of each thing that `said` tells; the rest is left as it is."""
    parts, at = list[str](), 0
    for one in said(text):
        other = next(others)
        if other != one.text:
            new = other if one.kind == "text" else escaped(other) if one.kind == "said" else quoted(other)
            parts += (text[at : one.start], new)
            at = one.end
    return "".join((*parts, text[at:]))


def escaped(said: str) -> str:
    """A text as it stands inside a JSON string."""
    return msgspec.json.encode(said).decode()[1:-1]


def quoted(said: str) -> str:
    """What stands in place of something unquoted once it was masked, so that it stays JSON."""
    return f'"{escaped(said)}"'
