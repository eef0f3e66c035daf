import json

from camelid.plugins.host import PluginHost
from camelid.plugins.report import records_as_json, records_as_text


def records_of(install, backend_source):
    install("bad", "import surely_missing_module")
    install("good", backend_source("toy"))
    host = PluginHost.load(only={"bad", "good"})
    return [record for record in host.records if record.name in {"bad", "good"}]


def test_json_records_carry_everything(install, backend_source):
    bad, good = json.loads(records_as_json(records_of(install, backend_source)))
    assert good == {
        "name": "good",
        "distribution": "dist-good",
        "version": "2.5",
        "module": "installed_dist_good",
        "status": "loaded",
        "hooks": ["camelid_backends"],
        "backends": [{"name": "toy", "formats": ["toy"], "capabilities": [], "description": "", "standing": None}],
        "registries": [],
        "converters": [],
        "answer_formats": [],
        "routes": [],
        "commands": [],
        "reason": "",
    }
    assert bad["status"] == "broken"
    assert "surely_missing_module" in bad["reason"]


def test_the_table_shows_what_a_plugin_provides_or_why_it_does_not(install, backend_source):
    head, bad, good = records_as_text(records_of(install, backend_source)).splitlines()
    assert head.split() == ["NAME", "PACKAGE", "STATUS", "PROVIDES"]
    assert good == "good  dist-good 2.5  loaded  backend toy (toy)"
    assert bad.startswith("bad   dist-bad 2.5   broken  dist-bad needs the module 'surely_missing_module'")
