"""What requests to fetch and to send a model have in common (contract 7.8, 7.9)."""

import msgspec

from camelid.errors import RequestError
from camelid.services.references import parse_reference
from camelid.types.names import ModelName

__all__ = ("TransferBody",)


class TransferBody(msgspec.Struct):
    """The request. User name and password of old clients are ignored."""

    model: str = ""
    name: str = ""
    """How older clients call it."""
    insecure: bool = False
    stream: bool = True

    def asked(self, complaint: str) -> ModelName:
        """The model.

        Raises:
            RequestError: the request names none, said with `complaint`; or the name cannot be one.
        """
        asked = self.model or self.name
        if not asked:
            raise RequestError(complaint, reason="the request names no model")
        return parse_reference(asked)
