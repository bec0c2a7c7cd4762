"""A roster drawn as SVG: its stages from top to bottom, and what may follow what in lanes beside them.

A layout by general rules (layers, few crossings) puts the ends of a call far to the left and to the right,
with lines to them from everywhere. A call has an order of its own, the roster's: so the stages stand below
each other, forward steps run down on the right, steps back run up on the left, and all that lead to one stage
share a lane.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any
from xml.sax.saxutils import escape

from callpool.stages import Roster, Stage

# All lengths in pixels.
MARGIN = 24
GAP = 40
"""Between two stages."""
LANE = 22
"""From one lane to the next."""
PORT = 14
"""Between two lines that leave or reach a stage on one side."""
HEAD = 8
"""The length of an arrow's head."""
LINE = 17
"""From one line of text to the next."""
NAME_SIZE = 15
NOTE_SIZE = 12
EM = 0.62
"""The width of an average letter, as a share of its size."""

INK, PAPER, FAINT = "#1f2937", "#ffffff", "#6b7280"
FIRST, MIDDLE, END = "#dcfce7", "#eff6ff", "#f3f4f6"
"""The fill of stages that open calls, of those in between, and of those after which none follows."""
LANES = ("#b91c1c", "#1d4ed8", "#047857", "#a16207", "#7e22ce", "#0e7490", "#be185d")
"""Dark enough to be told apart on white."""


@dataclass
class Box:
    """A stage in the picture."""

    name: str
    notes: tuple[str, ...]
    fill: str
    dashed: bool
    top: int = 0
    height: int = 0

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def width(self) -> int:
        sizes = [(self.name, NAME_SIZE), *((note, NOTE_SIZE) for note in self.notes)]
        return round(max(len(text) * size * EM for text, size in sizes)) + 36


@dataclass(frozen=True)
class Lane:
    """All steps on one side that lead to the same stage."""

    to: int
    origins: tuple[int, ...]
    color: str


class Side:
    """The lanes on one side of the stages, the innermost first. Steps are pairs of rows."""

    def __init__(self, steps: Iterable[tuple[int, int]], colors: Iterator[str], *, direction: int) -> None:
        self.direction = direction
        """1: on the right, where calls go on; -1: on the left, where they go back."""
        origins: dict[int, list[int]] = {}
        for origin, to in steps:
            origins.setdefault(to, []).append(origin)
        # The stage reached last has the outermost lane, whose line then ends without crossing the others.
        self.lanes = [
            Lane(to, tuple(origins[to]), next(colors))
            for to in sorted(origins, key=lambda to: to * direction)
        ]

    @property
    def width(self) -> int:
        return LANE * (len(self.lanes) + 1) if self.lanes else 0

    def ports(self, row: int) -> list[tuple[Lane, bool]]:
        """The lines at a stage, from top to bottom, as the lane and whether it arrives there.

        Lines arrive on the side that they come from, and the outermost leave next to them: so no line crosses
        another that begins at the same stage.
        """
        arrive = [(lane, True) for lane in self.lanes if lane.to == row]
        leave = [(lane, False) for lane in reversed(self.lanes) if row in lane.origins]
        return [*arrive, *leave][:: self.direction]


def draw(roster: Roster[Any, Any]) -> str:
    """The picture, an SVG document. The same roster gives the same bytes."""
    return _Picture(roster).svg()


class _Picture:
    def __init__(self, roster: Roster[Any, Any]) -> None:
        self._boxes = [_box(roster, stage) for stage in roster.stages]
        rows = {stage.name: row for row, stage in enumerate(roster.stages)}
        steps = sorted(
            {(rows[here], rows[to]) for here, follow in roster.transitions.items() for to in follow}
        )
        colors = cycle(LANES)
        self._next = [here for here, to in steps if to == here + 1]
        self._onward = Side([step for step in steps if step[1] > step[0] + 1], colors, direction=1)
        self._back = Side([step for step in steps if step[1] <= step[0]], colors, direction=-1)

        top = MARGIN
        for row, box in enumerate(self._boxes):
            ports = max(len(side.ports(row)) for side in (self._onward, self._back))
            box.top, box.height = top, max(34 + LINE * len(box.notes), PORT * (ports + 1))
            top += box.height + GAP
        self._left = MARGIN + self._back.width
        self._right = self._left + max(box.width for box in self._boxes)
        self._middle = (self._left + self._right) // 2
        self._width = self._right + self._onward.width + MARGIN
        self._height = top - GAP + MARGIN

    def svg(self) -> str:
        names = ", ".join(box.name for box in self._boxes)
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width}" height="{self._height}" '
            f'viewBox="0 0 {self._width} {self._height}" role="img" font-family="system-ui, sans-serif">',
            f"<title>The stages of a call: {escape(names)}</title>",
            f'<rect width="{self._width}" height="{self._height}" rx="8" fill="{PAPER}"/>',
            *(self._step(row) for row in self._next),
            *self._lines(self._onward, self._right),
            *self._lines(self._back, self._left),
            *(line for box in self._boxes for line in self._stage(box)),
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _step(self, row: int) -> str:
        """To the stage right below."""
        start, end = self._boxes[row].bottom, self._boxes[row + 1].top
        return _line(f"M{self._middle} {start}V{end - HEAD}", INK) + _head(self._middle, end, 0, INK)

    def _lines(self, side: Side, edge: int) -> Iterator[str]:
        """The lanes on a side of the stages, which end there at x = `edge`."""
        for number, lane in enumerate(side.lanes, start=1):
            x = edge + side.direction * LANE * number
            end = self._port(side, lane.to, lane, arrives=True)
            path = "".join(
                f"M{edge} {self._port(side, origin, lane, arrives=False)}H{x}V{end}"
                f"H{edge + side.direction * HEAD}"
                for origin in lane.origins
            )
            # The seam keeps a line that crosses others one line to the eye.
            yield _line(path, PAPER, width=6) + _line(path, lane.color)
            yield _head(edge, end, side.direction, lane.color)

    def _port(self, side: Side, row: int, lane: Lane, *, arrives: bool) -> int:
        """The y at which a lane leaves or reaches a stage."""
        ports, box = side.ports(row), self._boxes[row]
        return box.top + box.height * (ports.index((lane, arrives)) + 1) // (len(ports) + 1)

    def _stage(self, box: Box) -> Iterator[str]:
        dashes = ' stroke-dasharray="6 4"' if box.dashed else ""
        yield (
            f'<rect x="{self._left}" y="{box.top}" width="{self._right - self._left}" height="{box.height}" '
            f'rx="10" fill="{box.fill}" stroke="{INK}" stroke-width="1.5"{dashes}/>'
        )
        y = box.top + (box.height - LINE * len(box.notes)) // 2 + 5
        yield self._text(y, box.name, f'font-size="{NAME_SIZE}" font-weight="600" fill="{INK}"')
        for number, note in enumerate(box.notes, start=1):
            yield self._text(y + LINE * number, note, f'font-size="{NOTE_SIZE}" fill="{FAINT}"')

    def _text(self, y: int, text: str, style: str) -> str:
        return f'<text x="{self._middle}" y="{y}" text-anchor="middle" {style}>{escape(text)}</text>'


def _line(path: str, color: str, width: int = 2) -> str:
    return f'<path d="{path}" stroke="{color}" stroke-width="{width}" stroke-linejoin="round" fill="none"/>'


def _head(x: int, y: int, side: int, color: str) -> str:
    """The head of an arrow that comes from the right (side 1), from the left (-1) or from above (0)."""
    back, half = HEAD + 2, HEAD // 2 + 1
    path = f"l{-half} {-back}h{2 * half}z" if side == 0 else f"l{side * back} {-half}v{2 * half}z"
    return f'<path d="M{x} {y}{path}" fill="{color}"/>'


def _box(roster: Roster[Any, Any], stage: Stage[Any, Any]) -> Box:
    called = [name for name, first in roster.first.items() if first == stage.name]
    is_end = not roster.transitions.get(stage.name)
    notes = []
    if called:
        notes.append(f"calls to {', '.join(called)} begin here")
    if stage.satisfied is not None:
        notes.append(f"passed through to {stage.then} when satisfied")
    if is_end:
        notes.append("the call ends here")
    return Box(
        name=stage.name,
        notes=tuple(notes),
        fill=FIRST if called else END if is_end else MIDDLE,
        dashed=stage.satisfied is not None,
    )
