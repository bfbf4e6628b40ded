"""Terraform, initialised once; and the account it made, once."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.terraform import CONFIGURATION, PLUGINS, Terraform, need_terraform
from tests.doubles.aws_server import aws_server


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The configuration with its provider, no account behind it; a loud skip where the provider cannot be had."""
    need_terraform()
    folder = tmp_path_factory.mktemp("deploy") / "terraform"
    shutil.copytree(CONFIGURATION, folder, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfvars"))
    copy = Terraform(folder)
    plugins = os.environ.get(PLUGINS)
    answer = copy("init", "-no-color", *([f"-plugin-dir={plugins}"] if plugins else []), seconds=120)
    if answer.returncode != 0 and not plugins:
        pytest.skip(
            f"TERRAFORM PROVIDER MISSING: the registry cannot be reached; {PLUGINS} names a folder that holds "
            "registry.terraform.io/hashicorp/aws/VERSION/PLATFORM/terraform-provider-aws_*"
        )
    assert answer.returncode == 0, answer.stderr
    return copy


@pytest.fixture(scope="session")
def account(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """The same configuration against an account of our own, with Glue and alarms; nothing is applied yet."""
    folder = tmp_path_factory.mktemp("account") / "terraform"
    shutil.copytree(terraform.folder, folder, symlinks=True)
    stand_ins = Path("tests") / "glue"
    settings = {
        "glue_enabled": "true",
        "glue_script_path": stand_ins / "train.py",
        "glue_wheel_path": stand_ins / "cripto-1.0.0-py3-none-any.whl",
        "glue_requirements": stand_ins / "requirements.txt",
        # moto knows no budgets with subscribers; tests/options.tftest.hcl has that one
        "alarm_email": "ops@example.com",
        "admin_principal_arns": '["arn:aws:iam::123456789012:role/operators"]',
    }
    with aws_server() as url:
        env = {f"TF_VAR_{name}": str(value) for name, value in settings.items()}
        env |= {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        env |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "2"}
        yield Terraform(folder, env)
