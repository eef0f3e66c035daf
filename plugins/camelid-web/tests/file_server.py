"""A web server with files. Tests elsewhere run this file for its names."""

from collections.abc import Callable
from hashlib import md5

from camelid.testing.loopback import LoopbackServer, Reply, Request


class FileServer(LoopbackServer):
    """Files by path; `says` makes the headers about one."""

    def __init__(self, shelf: dict[str, bytes] | None = None) -> None:
        super().__init__()
        self.shelf: dict[str, bytes] = {} if shelf is None else shelf
        self.says: Callable[[bytes], dict[str, str]] = lambda content: {"ETag": f'"{md5(content).hexdigest()}"'}
        self.sized = True
        """Whether lengths and ranges are known."""
        self.replies: dict[str, Reply] = {}
        """Instead of files, by path with query."""

    def respond(self, request: Request) -> Reply:
        if request.path in self.replies:
            return self.replies[request.path]
        content = self.shelf.get(request.path.partition("?")[0])
        if content is None:
            return Reply(404)
        return Reply(200, content, self.says(content), file=True, sized=self.sized)
