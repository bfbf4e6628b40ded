"""``cripto models``: the releases of the store."""

import json
from typing import Any

import typer

from cripto.cli.console import output, print_json, table
from cripto.cli.exits import FOUND
from cripto.cli.options import AsJson, OfInterval, Version
from cripto.cli.signing import keygen, sign
from cripto.cli.wiring import Installation, installation
from cripto.domain.clock import rfc3339
from cripto.domain.manifest import Manifest
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import NoRelease, ReleaseRefused
from cripto.registry import Channel, bare_files

__all__ = ["bare_name", "build", "promoted"]


def build() -> typer.Typer:
    """Return the commands of the group."""
    group = typer.Typer(no_args_is_help=True, help="List, check, sign, promote and roll back releases.")
    group.command("list")(list_releases)
    group.command("show")(show)
    group.command("verify")(verify)
    group.command("sign")(sign)
    group.command("promote")(promote)
    group.command("rollback")(rollback)
    group.command("keygen")(keygen)
    return group


def list_releases(as_json: AsJson = False) -> None:
    """List the releases of the store, oldest first, and say which is promoted for which interval.

    Joblibs that belong to no release follow.
    """
    parts = installation()
    listed: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    channels: dict[str, ReleaseVersion | None] = {}
    for version in parts.registry.versions():
        try:
            manifest, signed_by = parts.registry.signed_manifest(version)
        except ReleaseRefused as error:
            refused.append({"release": str(version), "reason": error.reason})
            continue
        interval = manifest.interval
        if interval not in channels:
            channels[interval] = None
            try:
                channel = parts.registry.channel(interval, parts.settings.interval)
                channels[interval] = None if channel is None else channel.release
            except ReleaseRefused as error:
                refused.append({"release": error.release, "reason": error.reason})
        listed.append(_summary(manifest, signed_by) | {"promoted": channels[interval] == version})
    joblibs = [
        {"model": file.name, "version": str(file.version), "key": file.key, "bytes": file.size}
        for files in bare_files(parts.store).values()
        for file in files
    ]
    if as_json:
        print_json({"releases": listed, "joblibs": joblibs, "refused": refused})
        return
    rows = table("release", "interval", "created", "assets>", "rows>", "signed by", "promoted")
    for item in listed:
        rows.add_row(
            item["release"],
            item["interval"],
            item["created"],
            str(item["assets"]),
            str(item["rows"]),
            item["signed_by"] or "",
            "yes" if item["promoted"] else "",
        )
    output.print(rows)
    for joblib in joblibs:
        output.print(f"without a release: {joblib['key']}", markup=False)
    for item in refused:
        output.print(f"refused {item['release']}: {item['reason']}", markup=False)


def show(version: Version, as_json: AsJson = False) -> None:
    """Show one release: what it holds, what it was trained on, and its scores."""
    manifest, signed_by = installation().registry.signed_manifest(ReleaseVersion.parse(version))
    if as_json:
        print_json(json.loads(manifest.to_bytes()) | {"signed_by": signed_by})
        return
    for name, value in _summary(manifest, signed_by).items():
        output.print(f"{name.replace('_', ' ')}: {'' if value is None else value}".rstrip(), markup=False)
    rows = table("model", "estimator", "skill>", "verdict", "parity>")
    for model in manifest.models:
        skill = model.metrics.get("skill")
        rows.add_row(
            model.name,
            model.estimator,
            f"{skill:.6f}" if isinstance(skill, float) else "-",
            str(model.metrics.get("verdict", "")),
            f"{max(model.parity.values(), default=0.0):.1e}",
        )
    output.print(rows)


def verify(version: Version, as_json: AsJson = False) -> None:
    """Check size and SHA-256 of every file of a release, and its signature where CRIPTO_PUBLIC_KEY is set.

    Exit code 1 if a file is wrong or missing, 3 if the manifest or a signature is refused.
    """
    parts = installation()
    manifest, signed_by = parts.registry.signed_manifest(ReleaseVersion.parse(version))
    findings = parts.registry.verify(manifest)
    if as_json:
        print_json(
            {
                "release": version,
                "files": len(manifest.every_file),
                "signed_by": signed_by,
                "findings": [{"path": finding.path, "problem": finding.problem} for finding in findings],
            }
        )
    else:
        for finding in findings:
            output.print(str(finding), markup=False)
        who = f"signed by {signed_by}" if signed_by else "signed by no trusted key"
        signature = who if parts.trust.keys else "signatures not looked at: CRIPTO_PUBLIC_KEY is not set"
        output.print(
            f"release {version}: {len(manifest.every_file)} files, {len(findings)} wrong; {signature}",
            markup=False,
        )
    if findings:
        raise typer.Exit(FOUND)


def promote(version: Version, as_json: AsJson = False) -> None:
    """Make every replica serve this release, for the interval it is of. Promoting the promoted one is fine."""
    parts = installation()
    _say(parts.registry.promote(ReleaseVersion.parse(version), parts.settings.interval, parts.clock), as_json)


def rollback(interval: OfInterval = None, as_json: AsJson = False) -> None:
    """Make every replica serve the release that was promoted before the current one."""
    parts = installation(interval)
    _say(parts.registry.rollback(parts.interval, parts.settings.interval, parts.clock), as_json)


def promoted(parts: Installation) -> ReleaseVersion | None:
    """The release that a server of this installation would load now, or ``None``."""
    settings = parts.settings
    try:
        return parts.registry.resolve(parts.interval, settings.interval, settings.pin(parts.interval))
    except NoRelease:
        return None


def bare_name(parts: Installation) -> str | None:
    """What a server would call the joblibs that it would serve for want of a release, or ``None``."""
    try:
        return None if parts.bare is None or parts.settings.release else parts.bare.find().version
    except NoRelease:
        return None


def _say(channel: Channel, as_json: bool) -> None:
    value = {
        "release": str(channel.release),
        "sequence": channel.sequence,
        "promoted_at": rfc3339(channel.promoted_at),
        "signed_by": channel.signed_by,
    }
    if as_json:
        print_json(value)
    else:
        output.print(
            f"release {channel.release} is promoted (move {channel.sequence} of the channel)", markup=False
        )


def _summary(manifest: Manifest, signed_by: str | None) -> dict[str, Any]:
    training = manifest.training
    return {
        "release": str(manifest.release),
        "interval": manifest.interval,
        "created": rfc3339(manifest.created),
        "assets": len(training.get("assets", ())),
        "rows": training.get("rows"),
        "source_revision": manifest.source_revision,
        "proofs": manifest.unproven() or "whole",
        "signed_by": signed_by,
    }
