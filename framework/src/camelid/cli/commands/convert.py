"""`camelid convert MODEL --to FORMAT [NAME]`."""

from pathlib import Path

import click

from camelid.cli.connection import connect
from camelid.cli.making import make_model
from camelid.cli.model_sources import collect
from camelid.store.modelfile import Modelfile

__all__ = ("command",)


@click.command("convert")
@click.argument("model")
@click.argument("name", required=False)
@click.option("--to", "becomes", type=click.Choice(["gguf", "onnx"]), required=True, help="The format to convert to.")
@click.option(
    "-q",
    "--quantize",
    default="",
    metavar="TYPE",
    help="Type the weights shall have: as for create, for onnx F32 (the default), INT8 or INT4.",
)
def command(model: str, name: str | None, *, becomes: str, quantize: str) -> None:
    """Make a GGUF or ONNX model of safetensors.

    MODEL is a folder as on Hugging Face, or a model with such files. Without NAME the result is called like MODEL, with
    the format as its tag.
    """
    from camelid.cli.progress import ProgressDisplay

    with connect() as client, ProgressDisplay() as display:
        display.status("gathering model components")
        target = name or _name_for(model, becomes)
        make_model(
            client,
            collect(target, Modelfile(from_=(model,)), Path.cwd(), quantize=quantize, becomes=becomes),
            display,
        )


def _name_for(model: str, becomes: str) -> str:
    """`smollm2:onnx` for `hf.co/someone/smollm2:135m`, and for a folder `smollm2`."""
    last = Path(model).resolve().name if Path(model).is_dir() else model.rpartition("/")[2]
    return f"{last.partition(':')[0]}:{becomes}"
