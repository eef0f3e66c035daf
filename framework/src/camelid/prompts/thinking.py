"""Splits what a model writes into thinking and answer, piece by piece (contract 12.5)."""

from camelid.contracts.answers.parser import ScanningParser
from camelid.contracts.answers.scanner import Steps

__all__ = ("ThinkingSplitter",)


class ThinkingSplitter(ScanningParser):
    """Splits one stream of text.

    Output that does not begin with the opening tag is all content. White space around the tags that begin a part is
    dropped.
    """

    def __init__(
        self, open_tag: str, close_tag: str, *, starts_inside: bool = False, starts_after: bool = False
    ) -> None:
        """Begin.

        Args:
            open_tag: not empty.
            close_tag: not empty.
            starts_inside: the thinking has begun; the model may write the opening tag all the same.
            starts_after: the thinking is over.
        """
        if not (open_tag and close_tag):
            raise ValueError("thinking tags must not be empty")
        super().__init__()
        self.markup = (open_tag, close_tag)
        self.starts_inside = starts_inside
        self.starts_after = starts_after
        self.thoughts = ("" if starts_inside else open_tag, close_tag)

    @classmethod
    def after(cls, prompt: str, tags: tuple[str, str], *, begun: bool = False) -> "ThinkingSplitter":
        """A splitter for what follows `prompt`, which may have opened the thinking itself, or closed it.

        Args:
            prompt: as the model gets it.
            tags: the opening and the closing one.
            begun: if the prompt does neither, the thinking begins with the answer.
        """
        open_tag, close_tag = tags
        end = prompt.rstrip()
        after = end.endswith(close_tag)
        return cls(
            open_tag,
            close_tag,
            starts_inside=end.endswith(open_tag) or (begun and not after),
            starts_after=after,
        )

    def read(self) -> Steps[None]:
        """An opening tag if there is one, thoughts, a closing tag, the answer."""
        open_tag, close_tag = self.markup
        space = yield from self.text.space()
        tag = yield from self.text.accept(open_tag)
        if not (tag or self.starts_inside):
            self.say("" if self.starts_after else space)
            yield from self.text.copy_until((), self.say)
            return
        yield from self.text.space()
        yield from self.text.copy_until((close_tag,), self.think)
        yield from self.text.space()
        yield from self.text.copy_until((), self.say)
