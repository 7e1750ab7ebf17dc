"""Formulas of Word, PowerPoint and OpenDocument on one line: `x^2`, `(a+b)/c`, `√(x)`."""

from __future__ import annotations

from relance.parsers.office.xml import Element, local

__all__ = ["math_text"]

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_SIMPLE = 1  # a part of so many characters needs no brackets


def math_text(element: Element) -> str:  # noqa: PLR0911, PLR0912  # a table of forms
    """Write a formula."""

    def part(name: str) -> str:
        found = element.find(f"{_M}{name}")
        return "" if found is None else math_text(found)

    match local(element):
        case "t":
            return element.text or ""
        case "f":
            return f"{_group(part('num'))}/{_group(part('den'))}"
        case "sSup":
            return f"{part('e')}^{_group(part('sup'))}"
        case "sSub":
            return f"{part('e')}_{_group(part('sub'))}"
        case "sSubSup":
            return f"{part('e')}_{_group(part('sub'))}^{_group(part('sup'))}"
        case "rad":
            degree = part("deg")
            return f"{degree}√({part('e')})"
        case "nary":
            character = element.find(f"{_M}naryPr/{_M}chr")
            sign = "∫" if character is None else character.get(f"{_M}val", "")
            lower, upper = part("sub"), part("sup")
            return (
                sign + (f"_{_group(lower)}" if lower else "") + (f"^{_group(upper)}" if upper else "") + " " + part("e")
            )
        case "d":
            properties = element.find(f"{_M}dPr")
            begin, end, between = (
                default
                if properties is None or (found := properties.find(f"{_M}{name}")) is None
                else found.get(f"{_M}val", "")
                for name, default in (("begChr", "("), ("endChr", ")"), ("sepChr", "|"))
            )
            return begin + between.join(math_text(each) for each in element.iterchildren(f"{_M}e")) + end
        case "func":
            return f"{part('fName')} {part('e')}"
        case "m" if element.tag == f"{_M}m":
            rows = (", ".join(math_text(cell) for cell in row) for row in element.iterchildren(f"{_M}mr"))
            return f"[{'; '.join(rows)}]"
        case "eqArr":
            return "; ".join(math_text(each) for each in element.iterchildren(f"{_M}e"))
        case "mfrac" | "msup" | "msub" | "msubsup" | "munderover" | "mover" | "munder" | "mroot" | "msqrt" | "mtr":
            return _mathml(local(element), [math_text(child) for child in element.iterchildren("*")])
        case "mi" | "mn" | "mo" | "mtext" | "ms":
            return " ".join((element.text or "").split())
        case "del" | "moveFrom" | "delText" | "instrText" | "annotation" | "annotation-xml":
            return ""
        case _:
            return "".join(math_text(child) for child in element.iterchildren())


def _mathml(name: str, parts: list[str]) -> str:  # noqa: PLR0911  # a table of forms
    """Write a form of MathML; the place of a child says what it is."""
    first, *others = [*parts, "", ""]
    second, third = (_group(part) for part in others[:2])
    match name:
        case "mfrac":
            return f"{_group(first)}/{second}"
        case "msup" | "mover":
            return f"{first}^{second}"
        case "msub" | "munder":
            return f"{first}_{second}"
        case "msubsup" | "munderover":
            return f"{first}_{second}^{third}"
        case "msqrt":
            return f"√({''.join(parts)})"
        case "mroot":
            return f"{second}√({first})"
        case _:
            return f"{', '.join(parts)}; "


def _group(text: str) -> str:
    return text if len(text) <= _SIMPLE or text.isalnum() else f"({text})"
