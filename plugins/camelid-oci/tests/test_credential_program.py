import json
import logging
import sys
from pathlib import Path

import pytest

from camelid_oci import credential_program
from camelid_oci.credential_program import ask_program
from camelid_oci.logins import Login, find_login

SECRET = "s3cr3t wool"
KEEPS = f"""
kept = {{
    "ghcr.io": {{"ServerURL": "ghcr.io", "Username": "me", "Secret": "{SECRET}"}},
    "https://index.docker.io/v1/": {{"Username": "hub", "Secret": "{SECRET}"}},
    "azure.example": {{"Username": "<token>", "Secret": "{SECRET}"}},
}}
host = sys.stdin.read()
if host not in kept:
    print("credentials not found in native keychain")
    sys.exit(1)
print(json.dumps(kept[host]))
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a program in place of those of the system."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(name: str, code: str) -> Path:
        file = folder / f"docker-credential-{name}"
        file.write_text(
            f"#!{sys.executable}\nimport json, os, subprocess, sys, time\nassert sys.argv[1:] == ['get']\n{code}"
        )
        file.chmod(0o755)
        return file

    return install


@pytest.fixture
def configure(tmp_path):
    def configure(**config: object) -> Path:
        (tmp_path / "config.json").write_text(json.dumps(config))
        return tmp_path

    return configure


@pytest.mark.parametrize(
    ("host", "login"),
    [
        ("ghcr.io", Login("me", SECRET)),
        ("registry-1.docker.io", Login("hub", SECRET)),
        ("azure.example", Login("", "", SECRET)),
        ("elsewhere.example", None),
    ],
)
def test_the_store_of_all_logins_is_asked(install, configure, caplog, host, login):
    install("keys", KEEPS)
    assert find_login(host, configure(credsStore="keys", auths={"ghcr.io": {}})) == login
    assert caplog.messages == []


def test_a_program_for_one_host_goes_before_the_store(install, configure):
    install("keys", KEEPS)
    install("cloud", 'print(json.dumps({"Username": "cloud", "Secret": sys.stdin.read()}))')
    folder = configure(credsStore="keys", credHelpers={"cloud.example:5000": "cloud"})
    assert find_login("cloud.example:5000", folder) == Login("cloud", "cloud.example:5000")
    assert find_login("ghcr.io", folder) == Login("me", SECRET)


def test_where_no_program_has_a_login_the_file_may(install, configure, caplog):
    install("keys", KEEPS)
    entry = {"username": "file", "password": "x"}
    folder = configure(credsStore="keys", auths={"plain.example": entry}, credHelpers={"broken.example": "broken"})
    assert find_login("plain.example", folder) == Login("file", "x")
    assert find_login("broken.example", folder) is None
    assert "kept by docker-credential-'broken', which is not installed" in caplog.text


@pytest.mark.parametrize("name", ["../keys", "/bin/keys", "a/b", "-keys", "keys\n", "k" * 100, "é", "keys;x"])
def test_a_name_leads_nowhere(install, tmp_path, caplog, name):
    install("keys", KEEPS)
    (tmp_path / "keys").write_text("")
    assert ask_program(name, "ghcr.io") is None
    assert "which is not installed" in caplog.text


def test_a_program_in_the_servers_own_folder_is_not_run(install, monkeypatch, caplog):
    monkeypatch.chdir(install("keys", KEEPS).parent)
    monkeypatch.setenv("PATH", ".")
    assert ask_program("keys", "ghcr.io") is None
    assert "which is not installed" in caplog.text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (f'print("cannot open {SECRET}"); sys.exit(3)', "status 3"),
        (f"print('{SECRET}')", "is no login"),
        (f"print(json.dumps({{'Username': 1, 'Secret': '{SECRET}'}}))", "is no login"),
        ("print('[' * 60_000)", "is no login"),
        (f"print('{SECRET}' * 1_000_000)", "said too much"),
        ("os.close(0); sys.exit(2)", "status 2"),
        ("os.kill(os.getpid(), 9)", "status -9"),
    ],
)
def test_what_goes_wrong_is_told_and_no_secret(install, caplog, code, words):
    program = install("keys", code)
    with caplog.at_level(logging.DEBUG):
        assert ask_program("keys", "ghcr.io") is None
    (message,) = caplog.messages
    assert words in message
    assert str(program) in message
    assert "ghcr.io" in message
    assert SECRET not in message


def test_who_never_answers_is_ended_with_all_it_started(install, caplog, monkeypatch):
    """Else the child would hold the pipe open, and nobody would see its end."""
    monkeypatch.setattr(credential_program, "_SECONDS", 0.5)
    install("keys", "subprocess.run([sys.executable, '-c', 'import time; time.sleep(1000)'])")
    assert ask_program("keys", "ghcr.io") is None
    assert "status -9" in caplog.text


def test_a_file_that_cannot_be_run_is_told(install, caplog):
    install("keys", "").write_text("#!/nowhere/at/all\n")
    assert ask_program("keys", "ghcr.io") is None
    assert "cannot be run for ghcr.io" in caplog.text
