"""`python -m camelid.worker`: the child process that holds one model. The server starts it, nobody else."""

import importlib
import logging
import os
import queue
import sys
from threading import Thread

from camelid.worker.guard import take_pipes
from camelid.worker.pipes import FrameWriter, Inbox, read_frames

__all__ = ("main",)


def main() -> None:
    """Serve one model, and end the process without running any library's exit handlers: they can hang or crash.

    The arguments are modules that the model will need: they are imported while the worker waits to be told which.
    """
    requests, answers = take_pipes()
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if os.environ.get("CAMELID_DEBUG", "").lower() in ("1", "true") else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )
    inbox: Inbox = queue.SimpleQueue()
    writer = FrameWriter(answers)
    Thread(target=read_frames, args=(requests, inbox, writer.send), name="camelid-frames", daemon=True).start()

    # Only now, so that a worker without a server ends before it loads anything.
    from camelid.worker.loop import WorkerLoop  # noqa: PLC0415

    for module in sys.argv[1:]:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - whoever loads a model with it will be told, with the plugin's name
            logging.getLogger("camelid.worker").debug("%s cannot be imported early: %r", module, error)
    status = WorkerLoop(inbox, writer.send).run()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
