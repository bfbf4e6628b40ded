"""``python -I -m cripto.registry.convert.child``."""

import os
import sys

__all__: list[str] = []


def main() -> int:
    """Answer one request; the exit status."""
    request = sys.stdin.buffer.read()
    # What models and libraries print must not mix with the answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    from cripto.registry.convert.child.work import answer

    with answers:
        answers.write(answer(request))
    return 0


if __name__ == "__main__":
    sys.exit(main())
