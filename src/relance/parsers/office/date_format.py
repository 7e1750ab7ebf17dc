"""Dates and times of cells in the formats of spreadsheets."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

__all__ = ["DATE", "show_date"]

DATE = re.compile(r"[ymdhs]|a{3,4}|am/pm|a/p", re.IGNORECASE)
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|[_*].|\[(?P<elapsed>h+|m+|s+)\]|\[[^\]]*\]'
    r"|(?P<half>am/pm|a/p|上午/下午)|(?P<part>y+|e+|m+|d+|h+|s+|a{3,4}|g+|b+)|\.(?P<fraction>0+)|(?P<other>.)",
    re.DOTALL | re.IGNORECASE,
)
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LAST = 2_958_466  # the day after 9999-12-31
_SYSTEM = {"f800": "yyyy-mm-dd", "f400": "h:mm:ss"}


def show_date(serial: float, code: str, *, since_1904: bool = False) -> str:
    """Show the number of a day; empty for one that no calendar has."""
    if system := re.search(r"\[\$-(F[48]00)\]", code, re.IGNORECASE):
        code = _SYSTEM[system[1].lower()]
    tokens = [
        (found.lastgroup or "", found[found.lastgroup] if found.lastgroup else "") for found in _TOKEN.finditer(code)
    ]
    fraction = next((len(text) for kind, text in tokens if kind == "fraction"), 0)
    seconds = round(serial * 86_400, min(fraction, 3))
    if any(kind == "elapsed" for kind, _ in tokens):
        return _elapsed(seconds, tokens)
    if not 0 <= serial < _LAST:
        return ""
    # Excel's 1900 has a 29 February, so that days before March begin one later.
    epoch = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 31 if serial < 60 else 30)  # noqa: DTZ001  # cells have no zone
    try:
        moment = epoch + timedelta(seconds=seconds)
    except OverflowError:
        return ""
    half = any(kind == "half" for kind, _ in tokens)
    pieces = []
    for at, (kind, text) in enumerate(tokens):
        match kind:
            case "part":
                pieces.append(_part(text.lower(), moment, minute=_is_minute(tokens, at), half=half))
            case "half":
                pieces.append(("AM", "PM")[moment.hour >= 12] if len(text) > 3 else ("A", "P")[moment.hour >= 12])
            case "fraction":
                pieces.append(f".{moment.microsecond:06}"[: 1 + len(text)])
            case _:
                pieces.append(text)
    return "".join(pieces).strip()


def _part(name: str, moment: datetime, *, minute: bool, half: bool) -> str:  # noqa: PLR0911  # a table of forms
    length = len(name)
    match name[0]:
        case "y" | "e":
            return f"{moment.year % 100:02}" if name in {"y", "yy"} else f"{moment.year:04}"
        case "m" if minute:
            return f"{moment.minute:0{min(length, 2)}}"
        case "m":
            month = _MONTHS[moment.month - 1]
            return {3: month[:3], 4: month, 5: month[0]}.get(length, f"{moment.month:0{min(length, 2)}}")
        case "d":
            day = _DAYS[moment.weekday()]
            return f"{moment.day:0{length}}" if length < 3 else day[:3] if length == 3 else day
        case "a":
            return "一二三四五六日"[moment.weekday()] if length == 3 else "星期" + "一二三四五六日"[moment.weekday()]
        case "h":
            hour = (moment.hour % 12 or 12) if half else moment.hour
            return f"{hour:0{min(length, 2)}}"
        case "s":
            return f"{moment.second:0{min(length, 2)}}"
        case _:
            return ""


def _is_minute(tokens: list[tuple[str, str]], at: int) -> bool:
    """Whether an `m` stands between hours and seconds."""
    parts = [(kind, text[0].lower()) if kind in {"part", "elapsed"} else None for kind, text in tokens]
    before = next((part for part in reversed(parts[:at]) if part), None)
    after = next((part for part in parts[at + 1 :] if part), None)
    return (before is not None and before[1] == "h") or (after is not None and after[1] == "s")


def _elapsed(seconds: float, tokens: list[tuple[str, str]]) -> str:
    sign, seconds = "-" if seconds < 0 else "", abs(seconds)
    total = int(seconds)
    pieces = []
    for kind, text in tokens:
        name, width = text[:1].lower(), len(text)
        if kind == "elapsed":
            value = {"h": total // 3600, "m": total // 60, "s": total}[name]
        elif kind == "part" and name in "hms":
            value = {"h": total // 3600 % 24, "m": total // 60 % 60, "s": total % 60}[name]
        elif kind == "fraction":
            pieces.append(f"{seconds % 1:.{min(width, 3)}f}"[1:])
            continue
        else:
            pieces.append(text)
            continue
        pieces.append(f"{value:0{width}}")
    return sign + "".join(pieces).strip()
