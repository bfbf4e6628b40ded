"""Releases in the object store: published whole, signed, resolved once, read by version; and their conversion."""

from cripto.registry.bare import BareFile, BareSurvey, bare_files, read_bare, survey_bare
from cripto.registry.channel import Channel, channel_key
from cripto.registry.draft import ModelDraft, ReleaseDraft
from cripto.registry.mirror import Mirror
from cripto.registry.releases import Finding, ReleaseRegistry
from cripto.registry.signing import ANYONE, PublicKey, Signature, SigningKey, Trust, read_public_keys
from cripto.registry.watch import Watch

__all__ = [
    "ANYONE",
    "BareFile",
    "BareSurvey",
    "Channel",
    "Finding",
    "Mirror",
    "ModelDraft",
    "PublicKey",
    "ReleaseDraft",
    "ReleaseRegistry",
    "Signature",
    "SigningKey",
    "Trust",
    "Watch",
    "bare_files",
    "channel_key",
    "read_bare",
    "read_public_keys",
    "survey_bare",
]
