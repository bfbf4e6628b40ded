"""Releases in the object store: published whole, resolved once, read by version; and their conversion."""

from cripto.registry.channel import Channel, channel_key
from cripto.registry.draft import ModelDraft, ReleaseDraft
from cripto.registry.mirror import Mirror
from cripto.registry.releases import Finding, ReleaseRegistry

__all__ = ["Channel", "Finding", "Mirror", "ModelDraft", "ReleaseDraft", "ReleaseRegistry", "channel_key"]
