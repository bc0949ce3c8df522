"""SQL text -> statements. Knows strings, names in backticks and comments; nothing else of SQL."""

import re

# What a semicolon may hide in; an unclosed one reaches to the end, and Spark will say what is wrong with it.
HIDDEN = r"""'(?:[^'\\]|\\.)*(?:'|\Z) | "(?:[^"\\]|\\.)*(?:"|\Z) | `[^`]*(?:`|\Z) | --[^\n]* | /\*.*?(?:\*/|\Z)"""
PIECE = re.compile(rf"{HIDDEN} | ; | [^'\"`;/-]+ | .", re.VERBOSE | re.DOTALL)
COMMENT = re.compile(r"\s*(?:--[^\n]*|/\*.*?(?:\*/|\Z)|\s+)+", re.DOTALL)


def split(text: str) -> list[str]:
    """The statements between semicolons, without the empty ones.

    >>> split("SELECT ';' ; -- nothing; here\\n SELECT 2;")
    ["SELECT ';'", '-- nothing; here\\n SELECT 2']
    """
    statements, current = [], ""
    for piece in PIECE.findall(text):
        if piece == ";":
            statements.append(current)
            current = ""
        else:
            current += piece
    return [statement.strip() for statement in (*statements, current) if not blank(statement)]


def blank(statement: str) -> bool:
    """Whether a statement is only space and comments."""
    return not statement.strip() or COMMENT.fullmatch(statement) is not None


def complete(text: str) -> bool:
    """Whether typed text ends a statement: its last piece that counts is a semicolon."""
    pieces = [piece for piece in PIECE.findall(text) if not blank(piece)]
    return bool(pieces) and pieces[-1] == ";"
