"""Turns a drawing on matplotlib axes into inline SVG that follows the page: its colours, its font, its scheme."""

import re
import warnings
from collections.abc import Callable
from html import escape
from typing import Any

COLOURS: dict[str, str] = {
    "ink": "#010101",
    "muted": "#020202",
    "grid": "#030303",
    "private": "#040404",
    "plain": "#050505",
    "limit": "#060606",
    "surface": "#070707",
    "bad": "#080808",
}
"""Name of a CSS variable -> the stand-in colour that matplotlib draws; each is replaced by var(--name)."""

_SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text: readable, searchable, small
    "svg.hashsalt": "tacit",  # ids depend on the drawing alone
    "text.parse_math": False,  # a $ in a column's name is a $
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": COLOURS["muted"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.linewidth": 0.8,
    "text.color": COLOURS["ink"],
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "path.simplify": False,
}


def svg(draw: Callable[[Any], None], *, name: str, title: str, summary: str, size: tuple[float, float] = (4.9, 2.7)) -> str:
    """Return a drawing as inline SVG with an accessible title and description.

    draw -- called with the axes to draw on. name -- unique in the page; prefixes every id. size -- inches.
    The same drawing gives the same text, byte for byte.
    """
    import io

    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the reader's own style file says
        matplotlib.rcParams.update(_SETTINGS)
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        figure.patch.set_alpha(0)
        for axes in figure.axes:
            axes.patch.set_alpha(0)
        sheet = io.StringIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # glyphs missing here are drawn by the reader's browser
            figure.savefig(sheet, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inlined(sheet.getvalue(), name, title, summary)


def _inlined(text: str, name: str, title: str, summary: str) -> str:
    """Return matplotlib's SVG file as an element of a page: no header, no addresses, ids of its own, colours by name."""
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    view = re.search(r'viewBox="([\d. ]+)"', text[: text.index(">")])
    head = f'<svg viewBox="{view.group(1) if view else "0 0 353 194"}" role="img" aria-labelledby="{name}-title {name}-desc">'
    body = text[text.index(">") + 1 :]
    body = re.sub(r'\b(id="|xlink:href="#|href="#|url\(#)', lambda found: found.group(1).replace("xlink:", "") + name + "-", body)
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    for colour, stand_in in COLOURS.items():
        body = body.replace(stand_in, f"var(--{colour})")
    label = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(summary)}</desc>'
    return head + label + re.sub(r"\n\s*", "\n", body)
