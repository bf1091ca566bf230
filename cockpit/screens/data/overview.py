"""The overview of a curriculum: what is there, how often each label is, how long the samples are."""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.screens.data.actions import MISSING
from cockpit.screens.data.state import DataState, Fact, Films, Lengths, Share
from cockpit.toolkit.figures import count, percent, size_words
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, clean, clip, columns, cut, pad, trouble_lines, width_of

NAME_WIDTH = 13
GAP = "   "
"""Between details: those that have room are shown."""


def overview_frame(state: DataState, width: int, height: int, glyphs: Glyphs) -> Frame:
    """Inventory and lengths on the left, prevalences on the right."""
    trouble = state.summary.trouble or state.trouble
    if trouble:
        return trouble_lines(trouble, width, glyphs.ellipsis)
    if not state.samples:
        return [[(" reading the curriculum", "dim")]]
    left_width = (width - 4) * 52 // 100 if width < 160 else 76
    right_width = min(width - 5 - left_width, 78)
    left = inventory_lines(state, left_width, glyphs)
    room = height - len(left) - 1
    if room >= 4:
        left += [[], *lengths_lines(state.lengths, left_width, min(room, 14), glyphs)]
    right = shares_lines(state.shares, right_width, glyphs)
    blocks = columns([(left, left_width), (right, right_width)], gap=3)
    return [[(" ", "text"), *line] for line in blocks][:height]


def inventory_lines(state: DataState, width: int, glyphs: Glyphs) -> Frame:
    """A line a thing: verdict, name, what was found, what was expected."""
    facts = [*state.facts, *_film_facts(state.films)]
    return [[("inventory", "strong")], *(_fact_line(fact, width, glyphs) for fact in facts)]


def _fact_line(fact: Fact, width: int, glyphs: Glyphs) -> Line:
    sign, role = {"ok": (glyphs.hit, "accent"), "bad": (glyphs.missed, "bad")}.get(
        fact.verdict, (glyphs.neither, "faint")
    )
    line: Line = [
        (f"{sign:<{max(2, len(glyphs.hit) + 1)}}", role),
        (f"{fact.name:<{NAME_WIDTH}}", "dim"),
        (clean(fact.found), "bad" if fact.verdict == "bad" else "text"),
    ]
    if fact.expected and fact.verdict == "bad":
        line.append((f", expected {fact.expected}" if fact.expected != "none" else "", "bad"))
    elif fact.expected:
        line.append((" as expected" if fact.expected != "none" else "", "dim"))
    for detail in clean(fact.detail).split(GAP) if fact.detail else ():
        if width_of(line) + len(GAP + detail) <= width:
            line.append((GAP + detail, "dim"))
    return clip(line, width)


def _film_facts(films: Films) -> list[Fact]:
    """Whether the films are there and, if asked for, whole."""
    if films.looked < films.total:
        facts = [Fact("films", f"looking for them, {count(films.looked)} of {count(films.total)}")]
    elif films.missing:
        words = f"{count(len(films.missing))} missing, {MISSING.key_name} lists them"
        facts = [Fact("films", words, "", "bad", f"of {count(films.total)}")]
    else:
        detail = size_words(films.bytes) if films.bytes else ""
        found = f"all {count(films.total)}" if films.with_test else f"{count(films.total)}, none is missing"
        told = [*(["with test"] if films.with_test else []), *([detail] if detail else [])]
        facts = [Fact("films", found, "", "ok", GAP.join(told))]
    if films.decoding:
        words = f"{count(films.decoded)} of {count(films.total)}, {count(len(films.damaged))} damaged"
        done = films.decoded == films.total
        facts.append(Fact("decoding", words, "", "bad" if films.damaged else "ok" if done else ""))
    return facts


def shares_lines(shares: tuple[Share, ...], width: int, glyphs: Glyphs) -> Frame:
    """A line a label, the bar of training beside that of validation, drawn to the same scale."""
    name_width = min(27, max(15, width - 26))
    bar = max(3, (width - name_width - 2 * 6 - 2) // 2)
    largest = max((value for one in shares for value in (one.train, one.validation) if value), default=1.0)
    heading: Line = [
        *pad([("labels", "strong")], name_width),
        (f"{'train':<{bar + 8}}validation", "dim"),
    ]
    frame: Frame = [heading]
    for share in shares:
        line: Line = pad([(cut(share.label, name_width - 1, glyphs.ellipsis), "text")], name_width)
        for value in (share.train, share.validation):
            line += thin_meter((value or 0.0) / largest, bar, glyphs)
            line.append((f" {percent(value)}  ", "text" if value else "dim"))
        frame.append(line)
    return frame


def thin_meter(share: float, width: int, glyphs: Glyphs) -> Line:
    """A bar that leaves air between lines, to half a cell."""
    whole, half = divmod(round(share * width * 2), 2)
    bar = glyphs.done * whole + (glyphs.head if half else "")
    return [(bar, "accent"), (" " * (width - len(bar)), "text")]


def lengths_lines(lengths: Lengths, width: int, height: int, glyphs: Glyphs) -> Frame:
    """The histogram of token lengths with the limit drawn in."""
    frame: Frame = [_lengths_heading(lengths, width)]
    if lengths.reason:
        return [*frame, [(cut(clean(lengths.reason), width, glyphs.ellipsis), "dim")]]
    if not lengths.counts:
        return frame
    begin = min(number for number, _ in lengths.counts) * lengths.bin
    last = max(lengths.limit, lengths.longest, begin + 1)
    most = max(samples for _, samples in lengths.counts)
    axis = len(count(most)) + 1
    columns = max(1, width - axis)

    def column_of(tokens: float) -> int:
        return min(columns - 1, max(0, int((tokens - begin) / ((last - begin) * 1.04) * columns)))

    heights = [0] * columns
    for number, samples in lengths.counts:
        first = column_of(number * lengths.bin)
        for column in range(first, max(first + 1, column_of((number + 1) * lengths.bin))):
            heights[column] = max(heights[column], samples)
    limit_at = column_of(lengths.limit) if lengths.limit else None
    rows = bar_rows(heights, max(1, height - 2), glyphs)
    labels = {
        0: most,
        **({len(rows) // 2: most * (len(rows) - len(rows) // 2) // len(rows)} if len(rows) > 4 else {}),
    }
    for index, row in enumerate(rows):
        mark = glyphs.axis_tick if index in labels else glyphs.axis
        label = count(labels[index]) if index in labels else ""
        frame.append([(f"{label:>{axis - 1}}{mark}", "dim"), *_bars(row, limit_at, glyphs)])
    floor = _lengths_floor(lengths, columns, limit_at, begin, last)
    return [*frame, [(f"{'0':>{axis - 1}}{glyphs.axis_corner}", "dim"), *floor]]


def _lengths_heading(lengths: Lengths, width: int) -> Line:
    line: Line = [("samples by tokens", "strong")]
    told: Line = []
    if lengths.over:
        told.append((f"{count(lengths.over)} over the limit of {count(lengths.limit)}: refused", "bad"))
    if lengths.measured < lengths.total and not lengths.reason:
        told.append((f"{count(lengths.measured)} of {count(lengths.total)} measured", "dim"))
    if lengths.measured:
        told.append((f"longest {count(lengths.longest)}", "text"))
    for words, role in told:
        if width_of(line) + len(GAP + words) <= width:
            line.append((GAP + words, role))
    return line


def _bars(row: str, limit_at: int | None, glyphs: Glyphs) -> Line:
    """A row of the histogram; what lies beyond the limit stands out, and the limit itself where no bar is."""
    if limit_at is None:
        return [(row, "accent")]
    mark = row[limit_at] if row[limit_at] != " " else glyphs.boundary
    return [
        (row[:limit_at], "accent"),
        (mark, "warn"),
        (row[limit_at + 1 :], "bad"),
    ]


def _lengths_floor(lengths: Lengths, width: int, limit_at: int | None, begin: int, last: int) -> Line:
    if limit_at is None:
        return [(f"{count(begin)}{last:>{max(0, width - len(count(begin)))},}", "dim")]
    label = f"limit {count(lengths.limit)}"
    start = max(len(count(begin)) + 1, min(limit_at - len(label) // 2, width - len(label)))
    return [(f"{count(begin):<{start}}", "dim"), (label, "warn")]


_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bar_rows(values: Sequence[int], height: int, glyphs: Glyphs) -> list[str]:
    """`height` rows, the topmost first; a value above zero is never invisible."""
    largest = max(values, default=0)
    if largest <= 0 or height < 1:
        return [" " * len(values)] * max(0, height)
    steps = 8 if glyphs.blocks else 1
    filled = [max(1, round(value / largest * height * steps)) if value else 0 for value in values]
    rows = []
    for row in range(height - 1, -1, -1):
        cells = [min(steps, max(0, level - row * steps)) for level in filled]
        rows.append("".join((_EIGHTHS[cell] if glyphs.blocks else " #"[cell]) for cell in cells))
    return rows
