"""The object store: the one place where anything is kept. Memory, folder and S3 behind one protocol."""

from cripto.storage.local import LocalStore
from cripto.storage.memory import MemoryStore
from cripto.storage.opening import delta_options, open_store
from cripto.storage.s3 import S3Store
from cripto.storage.store import ObjectInfo, ObjectStore, StoredObject

__all__ = [
    "LocalStore",
    "MemoryStore",
    "ObjectInfo",
    "ObjectStore",
    "S3Store",
    "StoredObject",
    "delta_options",
    "open_store",
]
