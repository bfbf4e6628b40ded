"""Releases in the object store: published whole, resolved once, read by version; and their conversion."""

from cripto.registry.bare import BareFile, BareSurvey, bare_files, read_bare, survey_bare
from cripto.registry.channel import Channel, channel_key
from cripto.registry.draft import ModelDraft, ReleaseDraft
from cripto.registry.releases import Finding, ReleaseRegistry

__all__ = [
    "BareFile",
    "BareSurvey",
    "Channel",
    "Finding",
    "ModelDraft",
    "ReleaseDraft",
    "ReleaseRegistry",
    "bare_files",
    "channel_key",
    "read_bare",
    "survey_bare",
]
