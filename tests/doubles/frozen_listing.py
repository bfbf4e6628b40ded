"""ListObjectsV2 over what a bucket held at some moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from xml.sax.saxutils import escape

__all__ = ["Entry", "answer", "entries"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as a listing names it; the tag with its quotes."""

    key: str
    size: int
    etag: str
    modified: datetime


def entries(endpoint: str, bucket: str) -> list[Entry]:
    """Everything in ``bucket`` now, by key, asked with the credentials of the environment."""
    import boto3

    pages = boto3.Session().client("s3", endpoint_url=endpoint).get_paginator("list_objects_v2")
    return [
        Entry(item["Key"], item["Size"], item["ETag"], item["LastModified"])
        for page in pages.paginate(Bucket=bucket)
        for item in page.get("Contents", [])
    ]


def answer(bucket: str, held: Iterable[Entry], query: dict[str, str]) -> bytes:
    """The page of ``held`` that ``query`` asks for; a delimiter is not known here and refused."""
    assert not query.get("delimiter"), "a frozen listing knows no delimiter"
    prefix = query.get("prefix", "")
    after = query.get("continuation-token") or query.get("start-after", "")
    limit = min(int(query.get("max-keys", "1000")), 1000)
    left = [entry for entry in held if entry.key.startswith(prefix) and entry.key > after]
    page, cut = left[:limit], len(left) > limit
    encode = quote if query.get("encoding-type") == "url" else escape
    contents = "".join(
        f"<Contents><Key>{encode(entry.key)}</Key><Size>{entry.size}</Size><ETag>{escape(entry.etag)}</ETag>"
        f"<LastModified>{entry.modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
        for entry in page
    )
    token = f"<NextContinuationToken>{escape(page[-1].key)}</NextContinuationToken>" if cut else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<ListBucketResult><Name>{bucket}</Name><Prefix>{encode(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"
        f"<MaxKeys>{limit}</MaxKeys>{'<EncodingType>url</EncodingType>' if encode is quote else ''}"
        f"<IsTruncated>{str(cut).lower()}</IsTruncated>{token}{contents}</ListBucketResult>"
    ).encode()
