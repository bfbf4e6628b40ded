"""The Dockerfile, read into stages and instructions: enough of its syntax to say what is in ours."""

import re
from dataclasses import dataclass, field

__all__ = ["Stage", "stages"]


@dataclass(slots=True)
class Stage:
    """One stage: what it starts from, its name, and its instructions in order."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """The arguments of each ``instruction`` of the stage."""
        return [arguments for name, arguments in self.steps if name == instruction]


def stages(text: str) -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first stage, with their defaults, and the stages in order."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
    before: dict[str, str] = {}
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if not line.strip():
            continue
        name, _, arguments = line.strip().partition(" ")
        if name == "FROM":
            base, _, alias = arguments.partition(" AS ")
            found.append(Stage(base, alias))
        elif not found:
            key, _, value = arguments.partition("=")
            before[key] = value
        else:
            found[-1].steps.append((name, arguments))
    return before, found
