"""Splits what a model writes into thinking and answer, piece by piece (contract 12.5)."""

from camelid.prompts.output import ScanningParser
from camelid.prompts.scanner import Steps

__all__ = ("ThinkingSplitter",)


class ThinkingSplitter(ScanningParser):
    """Splits one stream of text.

    Output that does not begin with the opening tag is all content. White space around the tags that begin a part is
    dropped.
    """

    def __init__(self, open_tag: str, close_tag: str, *, starts_inside: bool = False) -> None:
        """Begin.

        Args:
            open_tag: not empty.
            close_tag: not empty.
            starts_inside: the prompt already ended with the opening tag.
        """
        if not (open_tag and close_tag):
            raise ValueError("thinking tags must not be empty")
        super().__init__()
        self.markup = (open_tag, close_tag)
        self.starts_inside = starts_inside

    @classmethod
    def after(cls, prompt: str, tags: tuple[str, str]) -> "ThinkingSplitter":
        """A splitter for what follows `prompt`, which may have opened the thinking itself."""
        open_tag, close_tag = tags
        return cls(open_tag, close_tag, starts_inside=prompt.rstrip().endswith(open_tag))

    def read(self) -> Steps[None]:
        """An opening tag if there is one, thoughts, a closing tag, the answer."""
        open_tag, close_tag = self.markup
        if not self.starts_inside:
            space = yield from self.text.space()
            if not (yield from self.text.accept(open_tag)):
                self.say(space)
                yield from self.text.copy_until((), self.say)
                return
        yield from self.text.space()
        yield from self.text.copy_until((close_tag,), self.think)
        yield from self.text.space()
        yield from self.text.copy_until((), self.say)
