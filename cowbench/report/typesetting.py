"""Runs Typst: PDF/UA-1, no clock, and fonts that are the same everywhere as long as they have the letters."""

from __future__ import annotations

import shutil
from pathlib import Path

from cowbench.errors import CowbenchError


def typeset(folder: Path, text: str) -> bytes:
    """Return folder/report.typ as a PDF; `text` is all that it shows. Raises CowbenchError.

    Typst and matplotlib bring fonts for European scripts, Arabic and Hebrew. For letters that these lack the fonts of
    the system are asked; if it has none either, a placeholder is shown, under which the letters can still be found.
    """
    import typst

    if _covered(text):
        return _compile(folder, _packaged(), ignore_system_fonts=True)
    try:
        return _compile(folder, _without_placeholders(folder), ignore_system_fonts=False)
    except typst.TypstError:
        return _compile(folder, _packaged(), ignore_system_fonts=True)


def _compile(folder: Path, fonts: Path, *, ignore_system_fonts: bool) -> bytes:
    import typst

    try:
        return typst.compile(
            folder / "report.typ",
            root=folder,
            font_paths=[fonts],
            ignore_system_fonts=ignore_system_fonts,
            pdf_standards=["ua-1"],
            timestamp=0,
        )
    except typst.TypstError as error:
        if "could not be displayed" in str(error):
            raise
        raise CowbenchError(f"the PDF cannot be set: {error}; use --no-pdf, and report this") from None


def _packaged() -> Path:
    import matplotlib as mpl

    return Path(mpl.get_data_path()) / "fonts" / "ttf"


def _without_placeholders(folder: Path) -> Path:
    """Return a folder with matplotlib's DejaVu alone: its font of last resort would hide those of the system."""
    fonts = folder / "fonts"
    fonts.mkdir()
    for file in _packaged().glob("DejaVuSans*.ttf"):
        shutil.copy(file, fonts)
    return fonts


def _covered(text: str) -> bool:
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    return all(font.get_char_index(ord(letter)) for letter in set(text) if letter.isprintable() and letter != "\u200b")
