"""Identifiers with the check digits their issuers prescribe, computed here and not by the detector's library."""

from collections.abc import Sequence
from itertools import accumulate
from string import ascii_uppercase, digits

_BASE_36 = digits + ascii_uppercase
_NIF_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_FISCAL_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
_FISCAL_ODD_LETTERS = (*_FISCAL_ODD, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_VERHOEFF = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def iban(country: str, account: str) -> str:
    """ISO 13616: the whole, country and check digits moved behind, is 1 modulo 97."""
    number = int("".join(str(_BASE_36.index(c)) for c in f"{account}{country}00"))
    return f"{country}{98 - number % 97:02}{account}"


def in_fours(text: str) -> str:
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def in_threes(number: str, between: str) -> str:
    return between.join(number[at : at + 3] for at in range(0, len(number), 3))


def spaced(number: str, *sizes: int) -> str:
    return " ".join(number[end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True))


def luhn(number: str) -> str:
    total = sum(sum(divmod(int(d) * (2 - at % 2), 10)) for at, d in enumerate(reversed(number)))
    return number + str(-total % 10)


def weighted(number: str, weights: Sequence[int], modulus: int, *, minus: bool = False) -> int:
    total = sum(int(d) * w for d, w in zip(number, weights, strict=True))
    return (-total if minus else total) % modulus


def nhs(number: str) -> str:
    """Nine digits of which the check digit is not 10."""
    return number + str(weighted(number, range(10, 1, -1), 11, minus=True))


def nif(number: str) -> str:
    return number + _NIF_LETTERS[int(number) % 23]


def nie(first: str, number: str) -> str:
    return first + number + _NIF_LETTERS[int(str("XYZ".index(first)) + number) % 23]


def fiscal_code(code: str) -> str:
    odd = sum(_FISCAL_ODD[int(c)] if c.isdigit() else _FISCAL_ODD_LETTERS[ord(c) - 65] for c in code[::2])
    even = sum(int(c) if c.isdigit() else ord(c) - 65 for c in code[1::2])
    return code + ascii_uppercase[(odd + even) % 26]


def machine_read(code: str) -> str:
    """ICAO 9303: weights 7, 3, 1 over eight characters."""
    return code + str(sum(_BASE_36.index(c) * (7, 3, 1)[at % 3] for at, c in enumerate(code)) % 10)


def german_insurance(code: str) -> str:
    """Eleven characters; the letter counts as its two-digit place in the alphabet."""
    spelt = f"{code[:8]}{ord(code[8]) - 64:02}{code[9:]}"
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    return code + str(sum(sum(divmod(int(d) * w, 10)) for d, w in zip(spelt, weights, strict=True)) % 10)


def german_tax(number: str) -> str:
    """ISO 7064, modulus 11, 10."""
    product = 10
    for digit in number:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return number + str((11 - product) % 10)


def pesel(number: str) -> str:
    return number + str(weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), 10, minus=True))


def finnish(date: str, sign: str, number: str) -> str:
    return date + sign + number + "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(date + number) % 31]


def tfn(number: str) -> str:
    """Eight digits and the ninth (weight 10) that makes the sum a multiple of 11."""
    return number + str(weighted(number, (1, 4, 3, 7, 5, 8, 6, 9), 11))


def medicare(number: str) -> str:
    """Eight digits, the check digit, and an issue number."""
    return f"{number}{weighted(number, (1, 3, 7, 9, 1, 3, 7, 9), 10)}1"


def verhoeff(number: str) -> str:
    def together(a: int, b: int) -> int:
        turned = (a % 5 + b if a < 5 else a % 5 - b) % 5
        return turned + 5 * ((a < 5) != (b < 5))

    check, power = 0, list(range(10))
    for digit in reversed(number):
        power = [_VERHOEFF[p] for p in power]
        check = together(check, power[int(digit)])
    return number + str(next(d for d in range(10) if together(check, d) == 0 or together(d, check) == 0))


def korean(number: str) -> str:
    return number + str((11 - weighted(number, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5), 11)) % 10)


def thai(number: str) -> str:
    return number + str((11 - weighted(number, range(13, 1, -1), 11)) % 10)


def turkish(number: str) -> str:
    tenth = (sum(map(int, number[::2])) * 7 - sum(map(int, number[1::2]))) % 10
    return f"{number}{tenth}{(sum(map(int, number)) + tenth) % 10}"
