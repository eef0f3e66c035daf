import logging
from pathlib import Path

import msgspec
import pytest

from camelid.configuration import configuration_file, ignored_variables, load_settings, read_configuration
from camelid.errors import ConfigurationError
from camelid.settings import FOREVER, IGNORED_VARIABLES, INHERITED_VARIABLES, OLLAMA_SETTINGS, Settings


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty configuration folder and nothing else."""
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def write(home: dict[str, str], toml: str) -> Path:
    file = configuration_file(home)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(toml, "utf-8")
    return file


def test_without_any_source_the_defaults_stand(home: dict[str, str]):
    settings = load_settings(environ=home)
    assert settings == msgspec.structs.replace(Settings(), models=Path("~/.ollama/models").expanduser())


def test_each_source_beats_the_one_before(home: dict[str, str]):
    write(home, "max_queue = 1\nmax_loaded_models = 1\nnum_parallel = 1\ncontext_length = 1")
    home |= {"OLLAMA_MAX_LOADED_MODELS": "2", "OLLAMA_NUM_PARALLEL": "2", "OLLAMA_CONTEXT_LENGTH": "2"}
    home |= {"CAMELID_NUM_PARALLEL": "3", "CAMELID_CONTEXT_LENGTH": "3"}
    settings = load_settings({"context_length": 4, "num_parallel": None}, environ=home)
    assert (settings.max_queue, settings.max_loaded_models, settings.num_parallel, settings.context_length) == (
        1,
        2,
        3,
        4,
    )


def test_a_path_may_be_set_or_not(home: dict[str, str]):
    assert load_settings(environ=home).modelfiles is None
    assert load_settings(environ={**home, "CAMELID_MODELFILES": "/recipes"}).modelfiles == Path("/recipes")
    write(home, "modelfiles = 1")
    with pytest.raises(ConfigurationError, match=r"modelfiles in .* must be a path"):
        load_settings(environ=home)


def test_the_file_may_set_everything(home: dict[str, str], tmp_path: Path):
    write(
        home,
        f"""
        host = "localhost:1"
        models = "{tmp_path.as_posix()}"
        keep_alive = "1h30m"
        load_timeout = 0
        debug = true
        flash_attention = false
        origins = ["https://example.org"]
        plugins = ["echo"]
        registries = []
        """,
    )
    assert load_settings(environ=home) == Settings(
        host="localhost:1",
        models=tmp_path,
        keep_alive=5400.0,
        load_timeout=FOREVER,
        debug=True,
        flash_attention=False,
        origins=("https://example.org",),
        plugins=("echo",),
    )


@pytest.mark.parametrize(
    ("variable", "text", "setting", "value"),
    [
        ("OLLAMA_HOST", ' "0.0.0.0:80" ', "host", "0.0.0.0:80"),
        ("OLLAMA_MODELS", "'/models'", "models", Path("/models")),
        ("OLLAMA_KEEP_ALIVE", "10", "keep_alive", 10.0),
        ("OLLAMA_KEEP_ALIVE", "10m", "keep_alive", 600.0),
        ("OLLAMA_KEEP_ALIVE", "-1", "keep_alive", FOREVER),
        ("OLLAMA_KEEP_ALIVE", "0", "keep_alive", 0.0),
        ("OLLAMA_KEEP_ALIVE", "9" * 400, "keep_alive", FOREVER),
        ("OLLAMA_LOAD_TIMEOUT", "0", "load_timeout", FOREVER),
        ("OLLAMA_LOAD_TIMEOUT", "-5s", "load_timeout", FOREVER),
        ("OLLAMA_CONTEXT_LENGTH", "8192", "context_length", 8192),
        ("OLLAMA_CONTEXT_LENGTH", "0", "context_length", 4096),
        ("OLLAMA_ORIGINS", "https://a.example, app://b", "origins", ("https://a.example", "app://b")),
        ("OLLAMA_NOPRUNE", "T", "noprune", True),
        ("OLLAMA_NOPRUNE", "FALSE", "noprune", False),
        ("OLLAMA_DEBUG", "2", "debug", True),
        ("OLLAMA_DEBUG", "", "debug", False),
        ("OLLAMA_FLASH_ATTENTION", "0", "flash_attention", False),
        ("OLLAMA_KV_CACHE_TYPE", "q8_0", "kv_cache_type", "q8_0"),
        ("CAMELID_KEEP_ALIVE", "1m", "keep_alive", 60.0),
        ("CAMELID_PLUGINS", "echo,llamacpp", "plugins", ("echo", "llamacpp")),
        ("CAMELID_PLACEMENT", "in-process", "placement", "in-process"),
    ],
)
def test_variables(home: dict[str, str], variable: str, text: str, setting: str, value: object):
    assert getattr(load_settings(environ=home | {variable: text}), setting) == value


@pytest.mark.parametrize(
    ("variable", "text", "setting"),
    [
        ("OLLAMA_HOST", "ftp://localhost", "host"),
        ("OLLAMA_KEEP_ALIVE", "soon", "keep_alive"),
        ("OLLAMA_KEEP_ALIVE", "nan", "keep_alive"),
        ("OLLAMA_MAX_QUEUE", "-1", "max_queue"),
        ("OLLAMA_MAX_QUEUE", "1e3", "max_queue"),
        ("OLLAMA_NUM_PARALLEL", "9" * 30, "num_parallel"),
    ],
)
def test_nonsense_in_ollamas_variables_is_a_warning(
    home: dict[str, str], variable: str, text: str, setting: str, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        settings = load_settings(environ=home | {variable: text})
    assert getattr(settings, setting) == getattr(Settings(), setting)
    assert variable in caplog.text


@pytest.mark.parametrize(("text", "host"), [("10.0.0.7:99999", "10.0.0.7"), ("[::1]:x", "[::1]"), ("box:80 80", "box")])
def test_a_port_that_is_none_leaves_ollamas_host(
    home: dict[str, str], text: str, host: str, caplog: pytest.LogCaptureFixture
):
    assert load_settings(environ=home | {"OLLAMA_HOST": text}).host == host
    assert "the default port is used" in caplog.text


@pytest.mark.parametrize("variable", ["OLLAMA_MODELS", "CAMELID_CONFIG", "XDG_CONFIG_HOME"])
def test_home_folders_of_nobody_are_a_sentence(home: dict[str, str], variable: str):
    with pytest.raises(ConfigurationError, match="a home folder that is not there"):
        load_settings(environ=home | {variable: "~nobody-of-this-name/x"})


def test_every_setting_of_ollamas_is_one_of_ours():
    assert set(Settings.__struct_fields__) >= OLLAMA_SETTINGS


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("keepalive = 5", "unknown setting 'keepalive'; did you mean keep_alive?"),
        ("max_queue = '5'", "max_queue in .* must be a whole number"),
        ("max_queue = 1.0", "max_queue in .* must be a whole number"),
        ("max_queue = true", "max_queue in .* must be a whole number"),
        ("debug = 1", "debug in .* must be true or false"),
        ("debug = 'yes'", "debug in .* must be true or false"),
        ("origins = 'a,b'", "origins in .* must be a list"),
        ("origins = [1]", "origins in .* must be a list"),
        ("keep_alive = nan", "keep_alive in .* must be seconds"),
        ("keep_alive = '5 minutes'", "keep_alive in .* must be seconds"),
        ("host = 11434", "host in .* must be a string"),
        ("host = 'x:y'", "host in .* the port"),
        ("models = 1", "models in .* must be a path"),
        ("[models]", "models in .* must be a path"),
        ("max_queue =", "is not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_ends_the_command(home: dict[str, str], toml: str, sentence: str):
    file = write(home, toml)
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        load_settings(environ=home)
    assert str(file) in caught.value.message


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"CAMELID_KEEPALIVE": "5m"}, "CAMELID_KEEPALIVE is no setting.*mean CAMELID_KEEP_ALIVE"),
        ({"CAMELID_TRACE_PLUGIN": "1"}, "mean CAMELID_TRACE_PLUGINS"),
        ({"CAMELID_MAX_QUEUE": "many"}, "CAMELID_MAX_QUEUE must be a whole number"),
        ({"CAMELID_DEBUG": "yes"}, "CAMELID_DEBUG must be true or false"),
    ],
)
def test_a_mistake_in_our_variables_ends_the_command(home: dict[str, str], variables: dict[str, str], sentence: str):
    with pytest.raises(ConfigurationError, match=sentence):
        load_settings(environ=home | variables)


def test_our_other_variables_are_known(home: dict[str, str], tmp_path: Path):
    file = tmp_path / "elsewhere.toml"
    file.write_text("max_queue = 7", "utf-8")
    environ = home | {"CAMELID_CONFIG": str(file), "CAMELID_TRACE_PLUGINS": "1", "CAMELID_DEBUG": "  "}
    assert load_settings(environ=environ).max_queue == 7


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"max_queue": "many"}, "--max-queue must be a whole number"),
        ({"keep_alife": "5m"}, "--keep-alife is no setting; did you mean keep_alive?"),
    ],
)
def test_a_mistake_in_the_flags_ends_the_command(home: dict[str, str], flags: dict[str, object], sentence: str):
    with pytest.raises(ConfigurationError, match=sentence):
        load_settings(flags, environ=home)


def test_flags_may_be_text_or_values(home: dict[str, str]):
    settings = load_settings(
        {"keep_alive": "5m", "models": Path("/m"), "max_queue": 3, "origins": ("x",)}, environ=home
    )
    assert (settings.keep_alive, settings.models, settings.max_queue, settings.origins) == (
        300.0,
        Path("/m"),
        3,
        ("x",),
    )


def test_a_named_file_must_exist(home: dict[str, str], tmp_path: Path):
    missing = tmp_path / "missing.toml"
    with pytest.raises(ConfigurationError, match="no configuration file"):
        load_settings(environ=home, file=missing)
    with pytest.raises(ConfigurationError, match="no configuration file"):
        load_settings(environ=home | {"CAMELID_CONFIG": str(missing)})


def test_an_unreadable_file_is_named(home: dict[str, str], tmp_path: Path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    for unreadable in (tmp_path / "binary.toml", tmp_path):
        with pytest.raises(ConfigurationError, match="cannot read the configuration file"):
            load_settings(environ=home, file=unreadable)


CONTRACT_18 = """
OLLAMA_HOST OLLAMA_MODELS OLLAMA_KEEP_ALIVE OLLAMA_LOAD_TIMEOUT OLLAMA_CONTEXT_LENGTH OLLAMA_NUM_PARALLEL
OLLAMA_MAX_LOADED_MODELS OLLAMA_MAX_QUEUE OLLAMA_MAX_TRANSFER_STREAMS OLLAMA_ORIGINS OLLAMA_DEBUG
OLLAMA_DEBUG_LOG_REQUESTS OLLAMA_FLASH_ATTENTION OLLAMA_KV_CACHE_TYPE OLLAMA_GPU_OVERHEAD OLLAMA_SCHED_SPREAD
OLLAMA_IGPU_ENABLE OLLAMA_VULKAN OLLAMA_LLM_LIBRARY OLLAMA_GO_TEMPLATE OLLAMA_NOPRUNE OLLAMA_NOHISTORY OLLAMA_EDITOR
OLLAMA_NO_CLOUD OLLAMA_REMOTES OLLAMA_CLOUD_BASE_URL OLLAMA_AUTH OLLAMA_API_KEY OLLAMA_EXPERIMENT
OLLAMA_LLAMA_CPP_COMPAT LLAMA_ARG_FIT LLAMA_ARG_FIT_TARGET CUDA_VISIBLE_DEVICES HIP_VISIBLE_DEVICES
ROCR_VISIBLE_DEVICES GGML_VK_VISIBLE_DEVICES GPU_DEVICE_ORDINAL HSA_OVERRIDE_GFX_VERSION HTTP_PROXY HTTPS_PROXY NO_PROXY
OLLAMA_SKILLS OLLAMA_AGENT_DISABLE_SHELL OLLAMA_AGENT_DISABLE_WEBSEARCH
"""
"""Every variable of the contract's table."""


def test_every_variable_of_the_contract_is_obeyed_inherited_or_ignored_for_a_reason():
    obeyed = {f"OLLAMA_{name.upper()}" for name in OLLAMA_SETTINGS}
    not_ollamas = {"ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    ours = [*obeyed, *(set(INHERITED_VARIABLES) - not_ollamas), *IGNORED_VARIABLES]
    assert sorted(ours) == sorted(CONTRACT_18.split())
    assert all(IGNORED_VARIABLES.values())


def test_the_sources_of_settings_are_told(home: dict[str, str]):
    file = write(home, "max_queue = 1\nnum_parallel = 1\nnoprune = true")
    environ = home | {"OLLAMA_MAX_QUEUE": "2", "CAMELID_MAX_QUEUE": "3", "OLLAMA_NUM_PARALLEL": "2"}
    configuration = read_configuration({"max_queue": 4, "debug": None}, environ=environ | {"OLLAMA_DEBUG": ""})
    assert configuration.sources == {
        "max_queue": "--max-queue",
        "num_parallel": "OLLAMA_NUM_PARALLEL",
        "noprune": str(file),
    }
    assert configuration.settings == load_settings({"max_queue": 4}, environ=environ)


def test_mistakes_in_ollamas_variables_are_told(home: dict[str, str]):
    configuration = read_configuration(environ=home | {"OLLAMA_KEEP_ALIVE": "soon", "OLLAMA_HOST": "x:y"})
    assert [mistake.split()[0] for mistake in configuration.mistakes] == ["OLLAMA_HOST:", "OLLAMA_KEEP_ALIVE"]
    assert configuration.sources == {"host": "OLLAMA_HOST"}


def test_ignored_variables_are_those_that_are_set():
    environ = {"OLLAMA_VULKAN": "1", "OLLAMA_AUTH": " ", "http_proxy": "x", "OLLAMA_HOST": "x", "OLLAMA_HOTS": "x"}
    ignored = ignored_variables(environ)
    assert list(ignored) == ["OLLAMA_HOTS", "OLLAMA_VULKAN"]
    assert ignored["OLLAMA_HOTS"].endswith("did you mean OLLAMA_HOST?")
    assert ignored["OLLAMA_VULKAN"] == IGNORED_VARIABLES["OLLAMA_VULKAN"]
