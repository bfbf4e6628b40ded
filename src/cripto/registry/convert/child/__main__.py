"""``python -I -m cripto.registry.convert.child SECONDS``."""

import os
import sys

__all__: list[str] = []


def main() -> int:
    """Answer one request; the exit status."""
    request = sys.stdin.buffer.read()
    # What models and libraries print must not mix with the answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    from cripto.registry.convert.child.confine import confine
    from cripto.registry.convert.child.gate import answer

    if not confine(int(sys.argv[1])):
        sys.stderr.write("the kernel leaves this process its network\n")
    with answers:
        answers.write(answer(request))
    return 0


if __name__ == "__main__":
    sys.exit(main())
