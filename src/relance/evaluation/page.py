"""An evaluation as one HTML page that needs nothing else: tables, findings, pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from relance.evaluation.plot import comparison_png, trade_off_png
from relance.evaluation.tables import cost_cells, notes, quality_cells, trade_off_cells

if TYPE_CHECKING:
    from relance.evaluation.compare import Comparison
    from relance.evaluation.dimensions import TradeOff

__all__ = ["evaluation_page"]

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
  h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
  .wide { overflow-x: auto } img { max-width: 100%; height: auto }
  table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums }
  caption { text-align: left; color: #555; padding-bottom: .3rem }
  th, td { padding: .35rem .7rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }
  th:first-child, td:first-child { text-align: left; font-weight: 600 }
  thead th { border-bottom: 2px solid #888; vertical-align: bottom; white-space: normal } p.note { color: #555 }
</style>
{% macro show(cells, caption) %}
<div class="wide" role="region" tabindex="0" aria-label="{{ caption }}"><table><caption>{{ caption }}</caption>
<thead><tr>{% for name in cells.head %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in cells.rows %}<tr>{% for cell in row %}
<{{ 'th scope="row"' | safe if loop.first else "td" }}>{{ cell }}</{{ "th" if loop.first else "td" }}>
{% endfor %}</tr>{% endfor %}</tbody></table></div>
{% endmacro %}
<main>
<h1>{{ title }}</h1>
{% if comparison.findings %}<ul>{% for each in comparison.findings %}<li>{{ each }}</li>{% endfor %}</ul>{% endif %}
<p><img src="data:image/png;base64,{{ picture }}" alt="Each system's measures with their intervals; the table below has
the numbers"></p>
<h2>Quality</h2>
{{ show(quality, "How well each system finds what is relevant, best first") }}
{% for each in notes %}<p class="note">{{ each }}</p>{% endfor %}
<h2>Cost</h2>
{{ show(cost, "What each system takes") }}
{% for curve, cells, image in curves %}
<h2>Shorter vectors: {{ curve.index }}</h2>
<p><img src="data:image/png;base64,{{ image }}" alt="Measures over the length of vectors; the table below has the
numbers"></p>
{{ show(cells, "What shorter vectors of " ~ curve.model ~ " keep; in brackets the share of the full length") }}
<p class="note">{{ curve.note }}</p>
{% endfor %}
</main>
</html>
"""


def evaluation_page(comparison: Comparison, curves: Sequence[TradeOff], *, title: str = "Evaluation") -> str:
    """Write the page; names come from specs and files, and are escaped.

    Raises MissingExtraError without matplotlib.
    """
    from jinja2 import Environment

    page = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)
    return page.render(
        title=title,
        comparison=comparison,
        picture=_inline(comparison_png(comparison)),
        quality=quality_cells(comparison),
        cost=cost_cells(comparison),
        notes=notes(comparison),
        curves=[(curve, trade_off_cells(curve), _inline(trade_off_png(curve, title=curve.index))) for curve in curves],
    )


def _inline(image: bytes) -> str:
    return base64.b64encode(image).decode("ascii")
