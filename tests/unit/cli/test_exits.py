import pytest

from cripto import errors
from cripto.cli.exits import CALLER, LATER, OPERATOR, exit_code
from cripto.errors import CriptoError

CLASSES: list[type[CriptoError]] = [getattr(errors, name) for name in errors.__all__]
CODES = {errors.CallerError: CALLER, errors.RetryLater: LATER, errors.OperatorError: OPERATOR}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_each_error_has_the_exit_code_of_its_branch(cls: type[CriptoError]) -> None:
    branches = [code for branch, code in CODES.items() if branch in cls.__mro__]
    assert exit_code(cls.__new__(cls)) == (branches or [OPERATOR])[0]


def test_the_codes_tell_the_branches_apart() -> None:
    assert len({CALLER, LATER, OPERATOR, 0, 1}) == 5
