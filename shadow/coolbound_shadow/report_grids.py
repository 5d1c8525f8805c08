"""Grids of named rows and columns as inline SVG."""

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup, escape

from coolbound_shadow.report_axes import WIDTH, svg

ROW_PX = 17
HEAD_PX = 16


@dataclasses.dataclass(frozen=True)
class GridCell:
    """One cell of a grid. Static.

    Attributes:
        style: Class in the style sheet.
        text: What stands in it; empty for nothing.
    """

    style: str
    text: str


def grid_figure(
    label: str,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[GridCell]],
    left: int,
) -> Markup:
    """Return a grid, its columns named below.

    Args:
        label: Text alternative.
        rows: Names of the rows, the first at the top.
        columns: Names of the columns.
        cells: By row, then by column.
        left: Room for the names of the rows. [px]
    """
    width = (WIDTH - left - 2) / len(columns)
    body = []
    for i, name in enumerate(rows):
        y = ROW_PX * i + 2
        body.append(
            f'<text x="{left - 6}" y="{y + 12}" class="end">{escape(name)}</text>'
        )
        body += [
            _cell(cell, left + width * j, y, width) for j, cell in enumerate(cells[i])
        ]
    bottom = ROW_PX * len(rows) + 2
    for j, name in enumerate(columns):
        x = left + width * (j + 0.5)
        text = f'<text x="{x:.1f}" y="{bottom + 12}" class="mid">{escape(name)}</text>'
        body.append(text)
    return svg(body, bottom + HEAD_PX, label)


def _cell(cell: GridCell, x: float, y: int, width: float) -> str:
    box = (
        f'<rect x="{x:.1f}" y="{y}" width="{width - 1:.1f}" height="{ROW_PX - 1}" '
        f'class="{cell.style}"/>'
    )
    if not cell.text:
        return box
    at = f'x="{x + width / 2:.1f}" y="{y + 12}"'
    return f'{box}<text {at} class="mid">{escape(cell.text)}</text>'
