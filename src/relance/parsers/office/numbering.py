"""How numbers of lists are written: 1, a, iv, 一, ①."""

from __future__ import annotations

__all__ = ["ordinal", "roman"]

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
          (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_CHINESE = "〇一二三四五六七八九"
_UNITS = ("", "十", "百", "千")
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_BRANCHES = "子丑寅卯辰巳午未申酉戌亥"
_IROHA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"
_GANADA = "가나다라마바사아자차카타파하"
_HEBREW = "אבגדהוזחטיכלמנסעפצקרשת"
_RUSSIAN = "абвгдежзиклмнопрстуфхцчшщыэюя"
_ALPHABETS = {
    "ideographTraditional": _STEMS,
    "ideographZodiac": _BRANCHES,
    "aiueo": _IROHA,
    "aiueoFullWidth": _IROHA,
    "ganada": _GANADA,
    "hebrew2": _HEBREW,
    "russianLower": _RUSSIAN,
    "russianUpper": _RUSSIAN.upper(),
}
_CHINESE_NAMES = frozenset(
    ("chineseCounting", "chineseCountingThousand", "chineseLegalSimplified", "ideographDigital", "japaneseCounting",
     "japaneseDigitalTenThousand", "taiwaneseCounting", "taiwaneseCountingThousand", "koreanDigital")
)  # fmt: skip
_CIRCLED = frozenset(("decimalEnclosedCircle", "decimalEnclosedCircleChinese", "ideographEnclosedCircle"))
_MOST = 100_000


def ordinal(number: int, style: str) -> str:  # noqa: PLR0911  # a table of styles
    """Write the number of an item in a style as WordprocessingML names it; decimal for styles nobody knows."""
    if style in {"none", "bullet"}:
        return ""
    if not 0 < number < _MOST:
        return str(number)
    if style in {"lowerRoman", "upperRoman"}:
        return roman(number) if style == "lowerRoman" else roman(number).upper()
    if style in {"lowerLetter", "upperLetter"}:  # a … z, aa, bb as Word counts them
        letter = chr(ord("a") + (number - 1) % 26) * min((number - 1) // 26 + 1, 20)
        return letter if style == "lowerLetter" else letter.upper()
    if style == "decimalZero":
        return f"{number:02}"
    if style in _CIRCLED and number <= 20:
        return chr(0x245F + number)
    if style in _CHINESE_NAMES:
        return _chinese(number)
    if alphabet := _ALPHABETS.get(style):
        return alphabet[(number - 1) % len(alphabet)]
    return str(number)


def roman(number: int) -> str:
    """Write a number in lower-case Roman numerals; decimal from 4,000 on."""
    if number >= 4000:
        return str(number)
    text = ""
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        text += letters * count
    return text


def _chinese(number: int) -> str:
    if number >= 10_000:
        return "".join(_CHINESE[int(digit)] for digit in str(number))
    text, zero = "", False
    digits = str(number)
    for position, digit in enumerate(digits):
        unit = _UNITS[len(digits) - position - 1]
        if digit == "0":
            zero = bool(text)
            continue
        text += ("零" if zero else "") + _CHINESE[int(digit)] + unit
        zero = False
    return text.removeprefix("一") if 10 <= number < 20 else text
