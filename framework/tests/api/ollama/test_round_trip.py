"""What `/api/show` prints as a Modelfile makes the same model again, whatever is in it (contract 7.3.1, 11)."""

import hashlib

import gguf
import numpy as np
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = {"model.gguf": ("llama", {"general.file_type": 15})}
PROJECTOR = {"eyes.gguf": ("clip", {"clip.has_vision_encoder": True})}
ADAPTER = {"lora.gguf": ("llama", {"general.type": "adapter", "adapter.type": "lora"})}
DRAFT = {"draft.gguf": ("llama", {"general.file_type": 1})}

# Three quotes in a row cannot be written in a Modelfile, nor can what Go does not print.
TEXT = st.text(alphabet='ab "#\t\nüΩ🦙<|>:', min_size=1, max_size=30).filter(lambda text: '"""' not in text)
TEMPLATES = st.sampled_from(
    [
        "{{ .Prompt }}",
        '{{ .System }}\n"{{ .Prompt }}"',
        " {{- range .Messages }}{{ .Content }}\n{{ end }} ",
        '"{{ .Prompt }}"',
    ]
)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "stop": st.lists(TEXT, min_size=1, max_size=3),
        "num_ctx": st.integers(4, 9999),
        "temperature": st.floats(0, 2, width=32),
        "seed": st.integers(-1, 2**31),
        "use_mmap": st.booleans(),
    },
)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": TEXT}), max_size=3
)
MODELS = st.fixed_dictionaries(
    {},
    optional={
        "template": TEMPLATES,
        "system": TEXT,
        "license": st.lists(TEXT, min_size=1, max_size=2, unique=True),
        "parameters": PARAMETERS,
        "messages": MESSAGES,
        "renderer": st.just("passthrough"),
        "parser": st.sampled_from(["passthrough", "qwen3"]),
        "requires": st.sampled_from(["0.14.0", "1.2.3-rc1"]),
    },
)


def file_bytes(path, architecture: str, facts: dict[str, object]) -> bytes:
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in facts.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_string(key, value)
    writer.add_tensor("a.weight", np.zeros((32, 2), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def digests(ollama, tmp_path_factory) -> dict[str, str]:
    """Of the files above, which are uploaded."""
    folder, found = tmp_path_factory.mktemp("files"), {}
    for name, (architecture, facts) in {**MODEL, **PROJECTOR, **ADAPTER, **DRAFT}.items():
        content = file_bytes(folder / name, architecture, facts)
        found[name] = f"sha256:{hashlib.sha256(content).hexdigest()}"
        (await ollama.post(f"/api/blobs/{found[name]}", content=content)).raise_for_status()
    # What no model uses is removed when one is replaced.
    await create(
        ollama,
        "keeper",
        files={name: found[name] for name in (*MODEL, *PROJECTOR)},
        adapters={name: found[name] for name in ADAPTER},
        draft_files={name: found[name] for name in DRAFT},
    )
    return found


async def create(client, name: str, **fields: object) -> dict[str, object]:
    """Make a model, and show all of it but what says when, and as what, it was made."""
    reply = await client.post("/api/create", json={"model": name, "stream": False, **fields})
    assert reply.json() == {"status": "success"}, reply.text
    shown = (await client.post("/api/show", json={"model": name})).json()
    del shown["modified_at"]
    shown["modelfile"] = shown["modelfile"].replace(f"# FROM {name}:latest\n", "")
    return shown


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=MODELS, companions=st.sets(st.sampled_from(["projector", "adapter", "draft"])))
async def test_what_is_shown_makes_the_same_model_again(ollama, digests, fields, companions):
    files = {**MODEL, **(PROJECTOR if "projector" in companions else {})}
    made = {
        "files": {name: digests[name] for name in files},
        "adapters": {name: digests[name] for name in ADAPTER if "adapter" in companions},
        "draft_files": {name: digests[name] for name in DRAFT if "draft" in companions},
    }
    first = await create(ollama, "first", **made, **fields)
    again = await create(ollama, "again", modelfile=first["modelfile"])
    assert again == first
    for instruction, companion in (("\nADAPTER ", "adapter"), ("\nDRAFT ", "draft")):
        assert (instruction in first["modelfile"]) is (companion in companions)
    assert first["modelfile"].count("\nLICENSE ") >= len(fields.get("license", []))


async def test_a_modelfile_is_written_in_ollamas_order_and_quotes(ollama, digests):
    shown = await create(
        ollama,
        "first",
        files={name: digests[name] for name in (*MODEL, *PROJECTOR)},
        adapters={name: digests[name] for name in ADAPTER},
        draft_files={name: digests[name] for name in DRAFT},
        template="{{ .System }}\n{{ .Prompt }}",
        system='Say "yes" \nor "no".',
        license=["MIT", "BSD\nof old"],
        parameters={"stop": ["<a>", " b"], "temperature": 0.5},
        messages=[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": ' "Ho" '}],
        parser="qwen3",
        requires="0.14.0",
    )
    lines = shown["modelfile"].split("\n")
    blobs = lines[3].removeprefix("FROM ").rpartition("/")[0]

    def blob(name: str) -> str:
        return f"{blobs}/{digests[name].replace(':', '-')}"

    assert lines[:3] == [
        '# Modelfile generated by "ollama show"',
        "# To build a new Modelfile based on this, replace FROM with:",
        "",
    ]
    assert "\n".join(lines[3:]) == (
        f"FROM {blob('model.gguf')}\nADAPTER {blob('lora.gguf')}\nDRAFT {blob('draft.gguf')}\n"
        f"FROM {blob('eyes.gguf')}\n"
        'TEMPLATE "{{ .System }}\n{{ .Prompt }}"\nSYSTEM """Say "yes" \nor "no"."""\n'
        'PARSER qwen3\nREQUIRES 0.14.0\nPARAMETER stop <a>\nPARAMETER stop " b"\nPARAMETER temperature 0.5\n'
        'LICENSE MIT\nLICENSE "BSD\nof old"\nMESSAGE user Hi\nMESSAGE assistant """ "Ho" """\n'
    )
