"""Pulling for those who want to run a model: files of this machine become one, and what no runtime loads as it came is
converted.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from camelid.errors import StoreError
from camelid.services.aliases import NO_ALIASES, Aliases
from camelid.services.converting import SAFETENSORS
from camelid.services.create import Create
from camelid.services.create_request import CreateRequest
from camelid.services.modelfile_requests import ModelfileRequests
from camelid.services.progress import SUCCESS, Progress
from camelid.services.pull import Pull
from camelid.store.store import Store
from camelid.types.file_addresses import FILE
from camelid.types.names import DEFAULT_TAG, ModelName

__all__ = ("Fetch",)


class Fetch:
    """Pulls, and makes a model of what was pulled where it is none yet."""

    def __init__(
        self, store: Store, pull: Pull, create: Create, modelfiles: ModelfileRequests, *, aliases: Aliases = NO_ALIASES
    ) -> None:
        self._store = store
        self._modelfiles = modelfiles
        self._aliases = aliases
        self._pull = pull
        self._create = create
        self._converting = asyncio.Lock()

    async def __call__(self, name: ModelName, *, insecure: bool = False) -> AsyncGenerator[Progress, None]:
        """Fetch `name`; the last line is `success`. Close the iterator to stop.

        Safetensors become a model of the same name, of the type that the tag says, or of their own without a tag. If
        that fails what was pulled stays, and the next request converts it.

        Args:
            name: of the model, or an alias; it is stored under its own. Of a file or folder of this machine, which must
                be one that clients may use, a model is made as `Create` does.
            insecure: see `Pull`.

        Raises:
            CamelidError: see `Pull` and `Create`.
        """
        name = self._aliases.resolve(name)
        if name.protocol == FILE:
            request = CreateRequest(model=name.qualified, from_=name.address)
            located = await asyncio.to_thread(self._modelfiles.locate, request)
            async with aclosing(self._create(located)) as lines:
                async for line in lines:
                    yield line
            return
        if not await asyncio.to_thread(self._is_raw, name):
            async with aclosing(self._pull(name, insecure=insecure)) as lines:
                async for line in lines:
                    if line.status != SUCCESS:
                        yield line
        if await asyncio.to_thread(self._is_raw, name):
            async with aclosing(self._converted(name)) as lines:
                async for line in lines:
                    yield line
        yield Progress(SUCCESS)

    async def _converted(self, name: ModelName) -> AsyncGenerator[Progress, None]:
        """Convert what was pulled; who asked for the same meanwhile finds it done."""
        async with self._converting:
            if await asyncio.to_thread(self._is_raw, name):
                quantize = "" if name.tag.lower() == DEFAULT_TAG else name.tag
                request = CreateRequest(model=name.qualified, from_=name.qualified, quantize=quantize)
                async with aclosing(self._create(request)) as lines:
                    async for line in lines:
                        if line.status != SUCCESS:
                            yield line

    def _is_raw(self, name: ModelName) -> bool:
        """Whether that model is here, and nothing but the files to make it of."""
        try:
            model = self._store.find(name)
        except StoreError:  # what is broken is healed by pulling it
            return False
        if model is None or model.config.model_format != SAFETENSORS:
            return False
        return any(file.name.endswith(".safetensors") for file in model.artifact.files)
