"""PEM text, as files hold it and as environment variables do."""

import re

from cripto.errors import InvalidInput

__all__ = ["pem_blocks"]

_BEGIN = "-----BEGIN "
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


def pem_blocks(text: str) -> list[tuple[str, bytes]]:
    """Label and bytes of each block, in order; raise `InvalidInput` if there is none, or one is cut off.

    Line ends may be written as a backslash and an n, as in an env file. Text between blocks is passed over.
    """
    text = text.replace("\\r", "").replace("\\n", "\n")
    blocks = [(found[1], found[0].encode() + b"\n") for found in _BLOCK.finditer(text)]
    if not blocks and _BEGIN not in text:
        raise InvalidInput("there is no PEM block in it")
    # what is cut off must not be passed over: it may be the key that was meant
    if len(blocks) != text.count(_BEGIN):
        raise InvalidInput("a PEM block in it is cut off")
    return blocks
