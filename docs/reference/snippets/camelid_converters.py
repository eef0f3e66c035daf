"""A converter says what it reads and writes. Nothing heavy is imported for that."""

from collections.abc import Callable

from camelid import hookimpl
from camelid.types.conversion import ConverterDescriptor

CAMELID_API = 1


@hookimpl
def camelid_converters(register: Callable[[ConverterDescriptor], None]) -> None:
    """`camelid create` finds a way from the format of the files that it got to one that a backend loads."""
    register(
        ConverterDescriptor(
            name="safetensors-to-counting",
            source="safetensors",
            target="counting",
            description="counts by as many as there are tensors",
        )
    )
