"""Mourns workers that died: their last words, one JSON object a line."""

import json
import os
from pathlib import Path

from camelid import hookimpl
from camelid.types.events import ModelUnloaded

CAMELID_API = 1


@hookimpl
def camelid_model_unloaded(event: ModelUnloaded) -> None:
    """`death` is empty where a model was unloaded on purpose."""
    if event.death:
        line = json.dumps({"at": event.at, "model": event.model, "backend": event.backend, "death": event.death})
        with Path(os.environ.get("DEATHS_FILE", "deaths.jsonl")).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
