"""Wrapping an answer at words while it streams."""

import unicodedata

__all__ = ("WordWrap",)


class WordWrap:
    """Turns pieces of text into the same text with line ends where the terminal's width asks for them.

    A word is held back until it is known to be complete, so that nothing on the screen is ever taken back.
    """

    def __init__(self, width: int) -> None:
        """Wrap at `width` columns; 0 = never."""
        self._width = width
        self._column = 0
        self._blanks = ""
        self._word = ""
        self._word_width = 0

    def feed(self, text: str) -> str:
        """Take the next piece; return what can be shown now."""
        if not self._width:
            return text
        shown: list[str] = []
        for character in text:
            if character == "\n":
                shown += (self._take_word(), self._take_blanks(), "\n")
                self._column = 0
            elif character.isspace():
                shown.append(self._take_word())
                self._blanks += character
            else:
                shown.append(self._take_character(character))
        return "".join(shown)

    def finish(self) -> str:
        """The rest that was held back."""
        return self._take_word() + self._take_blanks()

    def _take_character(self, character: str) -> str:
        wide = unicodedata.east_asian_width(character) in {"W", "F"}
        width = 2 if wide else 0 if unicodedata.combining(character) else 1
        # Chinese and Japanese know no blanks: a line may end before any of their characters.
        before = self._take_word() if wide or self._word_width + width > self._width else ""
        self._word += character
        self._word_width += width
        return before

    def _take_word(self) -> str:
        if not self._word:
            return ""
        if self._column + len(self._blanks) + self._word_width > self._width and self._column:
            self._blanks = ""
            self._column = 0
            shown = "\n"
        else:
            shown = self._take_blanks()
        shown += self._word
        self._column += self._word_width
        self._word, self._word_width = "", 0
        return shown

    def _take_blanks(self) -> str:
        blanks, self._blanks = self._blanks, ""
        self._column += len(blanks)
        return blanks
