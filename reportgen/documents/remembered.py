"""What the layout engine works out again and again is worked out once: where a line of text ends, how a face is set up, lengths.

WeasyPrint 70 asks Pango for each line of a paragraph each time that the paragraph is tried: on a page where it finds no room, in each
draft of a document, and once more to print it. Its answers follow from the text, its style and the room alone. Here they are kept with
the fonts (a `FontConfiguration`) that gave them, and what follows from a style alone is kept with the style. What is laid out is the
same, byte by byte. A style changes while boxes are built from it, and not any more when they are laid out.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from weasyprint.formatting_structure import boxes
from weasyprint.layout import block, inline, preferred, table
from weasyprint.text import line_break
from weasyprint.text.constants import LST_TO_ISO, PANGO_DIRECTION
from weasyprint.text.ffi import FROM_UNITS, ffi, gobject, pango, unicode_to_char_p
from weasyprint.text.fonts import font_features, get_font_description

# Everything that `weasyprint.text.line_break` asks a style for.
_FACE = (
    *("font_family", "font_style", "font_stretch", "font_weight", "font_size", "font_variation_settings", "font_language_override"),
    *("font_kerning", "font_variant_ligatures", "font_variant_position", "font_variant_caps", "font_variant_numeric"),
    *("font_variant_alternates", "font_variant_east_asian", "font_feature_settings", "lang", "direction", "text_decoration_line"),
)
_SETTING = (
    *("letter_spacing", "word_spacing", "white_space", "overflow_wrap", "word_break", "tab_size", "line_height"),
    *("hyphens", "hyphenate_limit_chars", "hyphenate_limit_zone", "hyphenate_character"),
)

_LENGTHS = (
    *("margin_top", "margin_right", "margin_bottom", "margin_left", "padding_top", "padding_right", "padding_bottom", "padding_left"),
    *("width", "min_width", "max_width", "height", "min_height", "max_height"),
)
_BORDERS = ("border_top_width", "border_right_width", "border_bottom_width", "border_left_width")

_split_first_line = line_break.split_first_line
_set_up = line_break.Layout.setup
_strut = line_break.strut
_resolve_percentages = block.resolve_percentages
_is_in_normal_flow = boxes.Box.is_in_normal_flow
_page_values = boxes.ParentBox.page_values


@dataclass
class _Memory:
    """What is known of text under one configuration of fonts.

    Attributes
    ----------
    kinds
        Values of all properties that text depends on -> the number that stands for them.
    lines
        Kind, text and room -> what `split_first_line` said.
    faces
        Kind -> what Pango needs to set text in it.
    """

    kinds: dict[tuple[Any, ...], int] = field(default_factory=dict)
    lines: dict[tuple[Any, ...], tuple[Any, ...]] = field(default_factory=dict)
    faces: dict[int, "_Face"] = field(default_factory=dict)


@dataclass(frozen=True)
class _Face:
    context: Any
    language: Any
    description: Any
    features: bytes
    decoration: Mapping[str, float | None]


def _memory(style: Any) -> _Memory:
    kept = style.font_config.__dict__
    found: _Memory | None = kept.get("remembered")
    if found is None:
        found = kept["remembered"] = _Memory()
    return found


def _kind(style: Any, memory: _Memory) -> int | None:
    """The number of a style's way with text; None where it has a value that cannot be compared."""
    try:
        return style.__dict__["kind_of_text"]
    except KeyError:
        pass
    values = tuple(_comparable(style[name]) for name in (*_FACE, *_SETTING))
    try:
        kind: int | None = memory.kinds.setdefault(values, len(memory.kinds))
    except TypeError:
        kind = None
    style.__dict__["kind_of_text"] = kind
    return kind


def _comparable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else frozenset(value) if isinstance(value, set) else value


def split_first_line(
    text: str,
    style: Any,
    context: Any,
    max_width: float | None,
    justification_spacing: float,
    is_line_start: bool = True,
    minimum: bool = False,
) -> tuple[Any, ...]:
    """WeasyPrint's, asked once for each text, style and width."""
    memory = _memory(style)
    kind = _kind(style, memory)
    if kind is None:
        return _split_first_line(text, style, context, max_width, justification_spacing, is_line_start, minimum)
    key = (kind, text, max_width, justification_spacing, is_line_start, minimum)
    found = memory.lines.get(key)
    if found is None:
        found = memory.lines[key] = _split_first_line(text, style, context, max_width, justification_spacing, is_line_start, minimum)
    # What holds a line's text is changed when it is drawn: each box has its own.
    layout = line_break.Layout.__new__(line_break.Layout)
    layout.__dict__.update(found[0].__dict__)
    return (layout, *found[1:])


def set_up(layout: Any, style: Any) -> None:
    """WeasyPrint's ``Layout.setup``, with one Pango context for all text of a kind."""
    memory = _memory(style)
    kind = _kind(style, memory)
    if kind is None:
        _set_up(layout, style)
        return
    face = memory.faces.get(kind)
    if face is None:
        face = memory.faces[kind] = _face(style)
    layout.style, layout.first_line_direction, layout.language = style, 0, face.language
    layout.__dict__.update(face.decoration)
    layout.layout = ffi.gc(pango.pango_layout_new(face.context), gobject.g_object_unref)
    pango.pango_layout_set_auto_dir(layout.layout, False)
    pango.pango_layout_set_font_description(layout.layout, face.description)
    if face.features:
        cached = style.font_config.font_features
        if face.features not in cached:
            cached[face.features] = pango.pango_attr_font_features_new(face.features)
        # A list of its own: letters that are spaced out are put on it too.
        attributes = pango.pango_attr_list_new()
        pango.pango_attr_list_insert(attributes, cached[face.features])
        pango.pango_layout_set_attributes(layout.layout, attributes)


def _face(style: Any) -> _Face:
    context = ffi.gc(pango.pango_font_map_create_context(style.font_config.font_map), gobject.g_object_unref)
    pango.pango_context_set_round_glyph_positions(context, False)
    pango.pango_context_set_base_dir(context, PANGO_DIRECTION[style["direction"]])
    override = style["font_language_override"]
    name = LST_TO_ISO.get(override.lower(), override) if override != "normal" else style["lang"]
    language = pango.pango_language_get_default()
    if name:
        pointer, _ = unicode_to_char_p(name)
        language = pango.pango_language_from_string(pointer)
        pango.pango_context_set_language(context, language)
    description = get_font_description(style)
    features = font_features(
        style["font_kerning"],
        style["font_variant_ligatures"],
        style["font_variant_position"],
        style["font_variant_caps"],
        style["font_variant_numeric"],
        style["font_variant_alternates"],
        style["font_variant_east_asian"],
        style["font_feature_settings"],
    )
    written = ",".join(f"{key} {value}" for key, value in features.items()).encode()
    return _Face(context, language, description, written, _decoration(style, context, description, language))


def _decoration(style: Any, context: Any, description: Any, language: Any) -> dict[str, float | None]:
    """Where lines under, over and through the text go, for text that has any."""
    names = ("underline_position", "strikethrough_position", "underline_thickness", "strikethrough_thickness")
    if style["text_decoration_line"] == "none":
        return dict.fromkeys(("ascent", "underline_position", "strikethrough_position"))
    metrics = ffi.gc(pango.pango_context_get_metrics(context, description, language), pango.pango_font_metrics_unref)
    return {name: FROM_UNITS * getattr(pango, f"pango_font_metrics_get_{name}")(metrics) for name in ("ascent", *names)}


def strut(style: Any) -> tuple[float, float]:
    """WeasyPrint's, asked once for each style: the height of a line without text, and its baseline."""
    found: tuple[float, float] | None = style.__dict__.get("remembered_strut")
    if found is None:
        found = style.__dict__["remembered_strut"] = _strut(style)
    return found


def resolve_percentages(box: Any, containing_block: Any) -> None:
    """WeasyPrint's; the lengths of a style without percentages are the same in every containing block."""
    kept = box.style.__dict__
    if "remembered_lengths" not in kept:
        kept["remembered_lengths"] = {} if _is_absolute(box.style) else None
    lengths = kept["remembered_lengths"]
    if lengths:
        box.__dict__.update(lengths)
        return
    _resolve_percentages(box, containing_block)
    if lengths is not None:
        lengths |= {name: box.__dict__[name] for name in (*_LENGTHS, *_BORDERS)}


def _is_absolute(style: Any) -> bool:
    return style["border_collapse"] != "collapse" and all(
        (value := style[name]) == "auto" or getattr(value, "unit", None) == "px" for name in _LENGTHS
    )


def is_in_normal_flow(box: Any) -> bool:
    """WeasyPrint's, asked once for each style."""
    kept = box.style.__dict__
    if "remembered_flow" not in kept:
        kept["remembered_flow"] = _is_in_normal_flow(box)
    return kept["remembered_flow"]


def page_values(box: Any) -> tuple[str, str]:
    """WeasyPrint's, asked once for a box with these children: each box around it asks again."""
    children, found = box.__dict__.get("remembered_page_values", (None, None))
    if children is not box.children:
        found = _page_values(box)
        box.__dict__["remembered_page_values"] = (box.children, found)
    return found


can_break_text: Callable[[str, str | None], bool] = lru_cache(maxsize=1 << 15)(line_break.can_break_text)


@contextmanager
def remembering() -> Iterator[None]:
    """Have the layout engine remember."""
    before = [(owner, name, owner.__dict__[name]) for owner, name, _ in _REPLACED]
    for owner, name, function in _REPLACED:
        setattr(owner, name, function)
    try:
        yield
    finally:
        for owner, name, function in reversed(before):
            setattr(owner, name, function)


_REPLACED: tuple[tuple[Any, str, Any], ...] = (
    (inline, "split_first_line", split_first_line),
    (preferred, "split_first_line", split_first_line),
    (inline, "can_break_text", can_break_text),
    (preferred, "can_break_text", can_break_text),
    (line_break.Layout, "setup", set_up),
    (inline, "strut", strut),
    *((module, "resolve_percentages", resolve_percentages) for module in (block, inline, table)),
    (boxes.Box, "is_in_normal_flow", is_in_normal_flow),
    (boxes.ParentBox, "page_values", page_values),
)
