"""Numbers of cells as a spreadsheet shows them: percent, dates, currencies, fractions, units."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache

from relance.parsers.office.date_format import DATE, show_date
from relance.parsers.office.xml import Element, whole

__all__ = ["NumberFormats", "show_number"]

# What Excel has built in. Its short dates follow the reader's country; ISO 8601 is read the same everywhere.
_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??",
    14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm",
    21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)", 41: "#,##0", 42: "#,##0", 43: "#,##0.00", 44: "#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss",
    47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
    **dict.fromkeys([*range(27, 32), 36, *range(50, 55), 57, 58], "yyyy-mm-dd"),
    **dict.fromkeys([32, 33, 34, 35, 55, 56], "h:mm"),
}  # fmt: skip
_GENERAL = "General"
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_(?P<width>.)|\*(?P<fill>.)|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<general>General)|(?P<exponent>[eE][+-])|(?P<digit>[0#?])|(?P<mark>[.,%/@;])|(?P<other>.)",
    re.DOTALL | re.IGNORECASE,
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?\d+(?:\.\d+)?)")
_WHOLE = re.compile(r"-?\d{1,40}")
_LONGEST = 255  # of a format, as Excel has it


@dataclass(slots=True)
class _Section:
    """One of the up to four forms of a format."""

    code: str = ""
    tokens: list[tuple[str, str]] = field(default_factory=list)
    condition: tuple[str, Decimal] | None = None
    is_date: bool = False

    def holds(self, number: Decimal) -> bool:
        """Whether its condition is met."""
        assert self.condition  # noqa: S101  # asked only where there is one
        sign, bound = self.condition
        return {"<": number < bound, "<=": number <= bound, ">": number > bound, ">=": number >= bound,
                "=": number == bound, "<>": number != bound}[sign]  # fmt: skip


class NumberFormats:
    """The formats of a workbook, by the style of a cell."""

    def __init__(self, codes: list[str] | None = None, *, since_1904: bool = False) -> None:
        self._codes = codes or []
        self._since_1904 = since_1904

    @classmethod
    def of(cls, styles: Element, *, since_1904: bool) -> NumberFormats:
        """Read `styles.xml`."""
        own = {
            whole(each.get("numFmtId")): each.get("formatCode", "") for each in styles.iterfind("{*}numFmts/{*}numFmt")
        }
        found = (whole(each.get("numFmtId")) for each in styles.iterfind("{*}cellXfs/{*}xf"))
        return cls([own.get(at, _BUILT_IN.get(at, _GENERAL)) for at in found], since_1904=since_1904)

    def show(self, stored: str, style: int) -> str:
        """Show a stored number in the style of its cell."""
        code = self._codes[style] if 0 <= style < len(self._codes) else _GENERAL
        return show_number(stored, code, since_1904=self._since_1904)


def show_number(stored: str, code: str, *, since_1904: bool = False) -> str:
    """Show a number in a format; as it is stored where the format makes no sense."""
    try:
        # Spreadsheets show 15 digits of a fraction; a whole number that was written out stays what it is.
        number = Decimal(stored) if _WHOLE.fullmatch(stored) else Decimal(f"{float(stored):.15g}")
    except (ValueError, InvalidOperation):
        return stored
    if not number.is_finite():
        return stored
    if code in {"", _GENERAL, "@"} or len(code) > _LONGEST:
        return _general(number)
    sections = _sections(code)
    section, signed = _pick(sections, number)
    if section is None:
        return _general(number)
    if section.is_date:
        return show_date(float(number), section.code, since_1904=since_1904) or _general(number)
    text = _fill(section.tokens, number if signed else abs(number))
    # A format may hide numbers (;;;); what it hides is in the file, and nobody sees it.
    return text.strip()


def _general(number: Decimal) -> str:
    if number == 0:
        return "0"
    exponent = number.adjusted()
    if -5 <= exponent < 21:
        text = f"{number:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    digits = f"{number.normalize():E}"
    mantissa, _, power = digits.partition("E")
    return f"{mantissa}E{int(power):+03d}"


@cache
def _sections(code: str) -> tuple[_Section, ...]:
    sections = [_Section()]
    for found in _TOKEN.finditer(code):
        kind, text = found.lastgroup or "other", found[0]
        if kind == "mark" and text == ";":
            sections.append(_Section())
            continue
        section = sections[-1]
        section.code += text
        match kind:
            case "quoted" | "escaped":
                section.tokens.append(("text", found[kind]))
            case "width":
                section.tokens.append(("text", " "))
            case "bracket":
                _bracket(section, found["bracket"])
            case "fill":
                pass
            case "other" | "mark" | "digit" | "exponent" | "general":
                section.tokens.append((kind if kind != "other" else "text", text))
    for section in sections:
        plain = re.sub(
            r'"[^"]*"?|\\.|[_*].|\[(?!(?:h+|m+|s+)\])[^\]]*\]|General', "", section.code, flags=re.IGNORECASE
        )
        section.is_date = bool(DATE.search(plain)) and not re.search(r"[#?]|0(?!\.0)[^:]*E[+-]", plain)
        section.is_date = section.is_date or bool(re.search(r"\[\$-F[48]00\]", section.code, re.IGNORECASE))
    return tuple(sections)


def _bracket(section: _Section, inside: str) -> None:
    if inside.startswith("$"):
        section.tokens.append(("text", inside[1:].partition("-")[0]))
    elif condition := _CONDITION.fullmatch(inside.strip()):
        section.condition = condition[1], Decimal(condition[2])


def _pick(sections: tuple[_Section, ...], number: Decimal) -> tuple[_Section | None, bool]:
    """Choose the form for a number, and say whether the number brings its own minus sign."""
    forms = [
        section for section in sections if not any(kind == "mark" and text == "@" for kind, text in section.tokens)
    ]
    if not forms:
        return None, True
    if any(section.condition for section in forms):
        for section in forms:
            if section.condition is None or section.holds(number):
                return section, section.condition is None or section.condition[1] >= 0 or number >= 0
        return None, True
    if number < 0 and len(forms) > 1:
        return forms[1], False
    if number == 0 and len(forms) > 2:
        return forms[2], False
    return forms[0], True


def _fill(tokens: list[tuple[str, str]], number: Decimal) -> str:
    if any(kind == "general" for kind, _ in tokens):
        return "".join(
            _general(number) if kind == "general" else text for kind, text in tokens if kind in {"general", "text"}
        )
    digits = [at for at, (kind, _) in enumerate(tokens) if kind == "digit"]
    if not digits:  # words only; a number without a place is not shown
        return "".join(text for _, text in tokens)
    slash = next((at for at, token in enumerate(tokens) if token == ("mark", "/") and digits[0] < at), None)
    if slash is not None:
        return _fraction(tokens, number, slash)
    sign, number = "-" if number < 0 else "", abs(number)
    number *= Decimal(100) ** sum(token == ("mark", "%") for token in tokens)
    point = next((at for at, token in enumerate(tokens) if token == ("mark", ".")), None)
    power = next((at for at, (kind, _) in enumerate(tokens) if kind == "exponent"), None)
    places = [at for at in digits if power is None or at < power]
    before = [at for at in places if point is None or at < point]
    after = [at for at in places if point is not None and at > point]
    commas = [at for at, token in enumerate(tokens) if token == ("mark", ",")]
    last = before[-1] if before else -1
    end = places[-1] if places else -1
    scale = 0
    while tokens[end + 1 + scale : end + 2 + scale] == [("mark", ",")]:
        scale += 1
    thousands = any(before and before[0] < at < last for at in commas)
    number /= Decimal(1000) ** scale
    exponent = 0
    if power is not None and number:
        width = max(len(before), 1)
        exponent = number.adjusted() - number.adjusted() % width if width > 1 else number.adjusted()
        number = number.scaleb(-exponent)
    number = number.quantize(Decimal(1).scaleb(-len(after)), ROUND_HALF_UP) if number.adjusted() < 22 else number
    if power is not None and number.adjusted() >= max(len(before), 1) and number:
        exponent += max(len(before), 1)
        number = number.scaleb(-max(len(before), 1)).quantize(Decimal(1).scaleb(-len(after)), ROUND_HALF_UP)
    integer, _, rest = f"{number:f}".partition(".")
    shown = _place(tokens, before, integer.lstrip("0"), thousands=thousands)
    rest = rest[: len(after)].ljust(len(after), "0")
    for position, at in reversed([*enumerate(after)]):
        if rest[position:].strip("0") or tokens[at][1] == "0":
            shown[at] = rest[position]
        else:
            shown[at] = " " if tokens[at][1] == "?" else ""
    if power is not None:
        behind = [at for at in digits if at > power]
        shown[power] = "E" + ("-" if exponent < 0 else "+" if tokens[power][1][1] == "+" else "")
        shown |= _place(tokens, behind, str(abs(exponent)).lstrip("0"), thousands=False)
    pieces = [
        shown.get(at, text if kind == "text" or text in {".", "%"} else "") if kind != "mark" or text in ".%" else ""
        for at, (kind, text) in enumerate(tokens)
    ]
    nothing = not number and not integer.strip("0") and not rest.strip("0")
    return ("" if nothing else sign) + "".join(pieces)


def _place(tokens: list[tuple[str, str]], places: list[int], digits: str, *, thousands: bool) -> dict[int, str]:
    """Write the digits of a whole number into its places, from the right; the first place takes what is left."""
    shown: dict[int, str] = {}
    written = 0
    for number, at in enumerate(reversed(places)):
        take = digits if number == len(places) - 1 else digits[-1:]
        digits = digits[: len(digits) - len(take)]
        if not take:
            take = {"0": "0", "?": " "}.get(tokens[at][1], "")
        if thousands:
            grouped = ""
            for digit in reversed(take):
                if written and written % 3 == 0 and digit.isdigit():
                    grouped = "," + grouped
                grouped = digit + grouped
                written += 1
            take = grouped
        shown[at] = take
    return shown


def _fraction(tokens: list[tuple[str, str]], number: Decimal, slash: int) -> str:
    from fractions import Fraction

    sign, number = "-" if number < 0 else "", abs(number)
    blank = next((at for at, (kind, text) in enumerate(tokens[:slash]) if kind == "text" and text == " "), None)
    mixed = blank is not None and any(kind == "digit" for kind, _ in tokens[:blank])
    denominator = "".join(text for kind, text in tokens[slash + 1 :] if kind == "digit" or text.isdigit())
    integer = int(number) if mixed else 0
    rest = Fraction(number) - integer
    if denominator.isdigit() and int(denominator):
        below = int(denominator)
        above = round(rest * below)
    else:
        near = rest.limit_denominator(10 ** min(max(len(denominator), 1), 4) - 1)
        above, below = near.numerator, near.denominator
    if mixed and above == below:
        integer, above = integer + 1, 0
    if not above:
        return f"{sign}{integer}" if integer else "0"
    return f"{sign}{integer} {above}/{below}" if integer else f"{sign}{above}/{below}"
