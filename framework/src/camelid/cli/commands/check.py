"""`camelid check BACKEND --model MODEL`: the conformance kit on what is installed, without pytest."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from camelid.configuration import load_settings

if TYPE_CHECKING:
    from camelid.plugins.catalog import RegisteredBackend
    from camelid.plugins.proofs import Proof
    from camelid.testing.report import Finding
    from camelid.types.artifact import ModelArtifact
from camelid.cli.report_files import ReportFile

__all__ = ("command",)


@click.command("check")
@click.argument("backend")
@click.option("--model", required=True, metavar="MODEL", help="A model's name, or the path of its file or folder.")
@click.option(
    "--adapter",
    type=click.Path(path_type=Path, exists=True, resolve_path=True),
    help="An adapter of this model, to prove adapters with.",
)
@click.option("--json", "json_path", type=ReportFile(), help="Write all of it here.")
@click.option("--only", metavar="TEXT", help="Run the cases whose names hold this, and keep nothing.")
@click.option("--strict", is_flag=True, help="Count what could not run as failed.")
@click.option(
    "--patience", default=300.0, show_default=True, metavar="SECONDS", help="How long anything in a case may take."
)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    backend: str,
    model: str,
    adapter: Path | None,
    json_path: Path | None,
    only: str | None,
    strict: bool,
    patience: float,
) -> None:
    """Prove what a backend can do, with a model, on this machine.

    All cases of the conformance kit run, most of them twice: in a process of the kit and in a worker. A capability
    that the model does not declare has to be REFUSED, which is as good as PASS. A case in which the backend crashes has
    failed, and the others go on. What is found is kept beside the models, and `camelid plugins` and `camelid show` tell
    of it. The exit status is 1 if a case failed.
    """
    from camelid.cli.check.display import Display
    from camelid.cli.check.model import find_artifact
    from camelid.cli.installed import load_installed
    from camelid.errors import RequestError
    from camelid.plugins.proofs import Proofs
    from camelid.testing.check_process import Order, check_apart
    from camelid.testing.outcomes import Outcome
    from camelid.testing.report import KitReport
    from camelid.types.capabilities import Capability

    settings = load_settings()
    plugins = load_installed(settings)
    plugins.backend(backend)
    artifact = find_artifact(model, settings, plugins.catalog.endings)
    registered = plugins.catalog.backend_for(artifact.format, backend)
    order = Order(
        backend=backend,
        artifact=artifact,
        adapter=str(adapter or ""),
        patience=patience,
        only=only or "",
        plugins=None if settings.plugins is None else tuple(settings.plugins),
        disabled=tuple(settings.disabled_plugins),
    )
    findings: list[Finding] = []
    with Display() as display:
        for found in check_apart(order):
            findings.append(found)
            display.progress(len(findings), found)
    if not findings:
        raise RequestError(f"no case has {only!r} in its name")
    display.report(f"{backend} with {artifact.name}", findings)
    if only is None:
        has = frozenset[Capability]().union(*(found.declared for found in findings))
        display.tell_unproven(sorted(registered.descriptor.capabilities - has))
    if json_path is not None:
        KitReport.of(findings).write(json_path)
    if only is None:
        try:
            Proofs(settings.proofs_folder).write(_proof(registered, artifact, findings))
        except OSError as error:  # somebody else's folder, perhaps: what was found holds all the same
            click.echo(f"Warning: this could not be kept in {settings.proofs_folder}: {error.strerror}", err=True)
    bad = {Outcome.FAILED, Outcome.NOT_RUN} if strict else {Outcome.FAILED}
    ctx.exit(1 if any(found.outcome in bad for found in findings) else 0)


def _proof(registered: "RegisteredBackend", artifact: "ModelArtifact", findings: "list[Finding]") -> "Proof":
    from camelid.plugins.proofs import Proof, machine_name, versions_behind
    from camelid.testing.outcomes import Outcome
    from camelid.testing.report import verdicts

    verified, failed = verdicts(findings)
    return Proof(
        backend=registered.name,
        model=artifact.name,
        files=artifact.key,
        versions=versions_behind(registered.distribution),
        machine=machine_name(),
        checked_at=datetime.now(UTC).isoformat(timespec="seconds"),
        verified=verified,
        failed=failed,
        failures=tuple(sorted({found.case for found in findings if found.outcome is Outcome.FAILED})),
    )
