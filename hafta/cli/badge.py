"""A small picture of one figure: how available units were, for a page that shows it among others."""

from __future__ import annotations

from html import escape

from hafta.cli.report_text import percent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

NAME = "availability"
#: The ground of the value: white text on each has a contrast of at least 4.5.
GROUNDS = {"met": "#1a6b35", "missed": "#b3261e", "plain": "#1d4ed8", "unknown": "#5f6670"}
LEFT = "#3b4048"
TEXT = "#ffffff"
LETTER, PAD = 7.0, 6  # pixels, of 11 px of a sans serif


def badge(units: Sequence[dict[str, Any]]) -> bytes:
    """Return the picture, as SVG, of the least available of these units; unknown, if one of them is."""
    known = [unit for unit in units if unit["availability"]["value"] is not None]
    if not units or len(known) < len(units):
        return _svg("unknown", "unknown")
    worst = min(units, key=lambda unit: unit["availability"]["value"])
    is_whole = not worst["seconds"]["unknown"] and not worst["failures"]["n"]
    budgets = [unit["budget"] for unit in units if unit["budget"]]
    tone = "plain" if not budgets else "met" if all(one["met"] for one in budgets) else "missed"
    return _svg(percent(worst["availability"]["value"], is_whole=is_whole), tone)


def _svg(value: str, tone: str) -> bytes:
    left, right = (round(len(text) * LETTER + 2 * PAD) for text in (NAME, value))
    texts = "".join(
        f'<text x="{x}" y="14" textLength="{round(len(text) * LETTER)}" lengthAdjust="spacingAndGlyphs">'
        f"{escape(text)}</text>"
        for x, text in ((PAD, NAME), (left + PAD, value))
    )
    label = escape(f"{NAME}: {value}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{label}">'
        f'<title>{label}</title><rect width="{left}" height="20" fill="{LEFT}"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{GROUNDS[tone]}"/>'
        f'<g fill="{TEXT}" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{texts}</g></svg>\n'
    ).encode()
