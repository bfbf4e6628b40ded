"""`terraform apply` for real, on an account of this machine: what it makes, that nothing is left to do, its end.

The policies are read from what was applied, so they are what AWS would hold. Each statement is written out below:
one that is not there, or allows anything else, fails.
"""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.deploy import names
from tests.deploy.access import ACCESS, Access
from tests.deploy.terraform import Terraform, policies

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BUCKET = f"arn:aws:s3:::{names.BUCKET}"
LOGS = "arn:aws:logs:us-east-1:123456789012:log-group"
MANAGED = {
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
    "AmazonEKSWorkerNodeMinimalPolicy",
}


@pytest.fixture(scope="module")
def applied(account: Terraform) -> Iterator[Terraform]:
    """The account, applied; destroyed afterwards, which must leave nothing."""
    account.done("apply", "-auto-approve", "-no-color")
    yield account
    account.done("destroy", "-auto-approve", "-no-color")
    assert account.resources() == {}
    assert _client(account, "s3").list_buckets()["Buckets"] == []


@pytest.fixture(scope="module")
def resources(applied: Terraform) -> dict[str, dict[str, Any]]:
    return applied.resources()


def store(key: str, may: Access) -> list[dict[str, Any]]:
    """The statements of a role that may do this with the bucket, and nothing else."""
    use = ["kms:Decrypt", "kms:GenerateDataKey"] if may.write else ["kms:Decrypt"]
    own = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    listed = {"StringLikeIfExists": {"s3:prefix": [f"{prefix}/*" for prefix in may.read]}}
    return [
        allow("List", ["s3:ListBucket"], [BUCKET], Condition=listed),
        allow("Read", ["s3:GetObject"], [f"{BUCKET}/{prefix}/*" for prefix in may.read]),
        allow("UseKey", use, [key], Condition=own),
        *(allow("Write", ["s3:PutObject", "s3:AbortMultipartUpload"], [f"{BUCKET}/{at}/*"]) for at in may.write),
        *(allow("Delete", ["s3:DeleteObject"], [f"{BUCKET}/{at}/*"]) for at in may.delete),
    ]


def allow(sid: str, actions: list[str], resource: Any, **rest: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource, **rest}


def test_a_second_plan_is_empty(applied: Terraform) -> None:
    answer = applied("plan", "-detailed-exitcode", "-no-color")
    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr


def test_each_statement_of_each_role_is_allowed_here(resources: dict[str, dict[str, Any]]) -> None:
    key = resources["aws_kms_key.data"]["arn"]
    metrics = {"StringEquals": {"cloudwatch:namespace": "Glue"}}
    groups = [f"{LOGS}:/aws-glue/jobs/{names.GLUE_JOB}/{kind}:*" for kind in ("error", "output")]
    write = ["logs:CreateLogStream", "logs:PutLogEvents"]
    expected = {
        **{f'aws_iam_role_policy.pod["{name}"]': store(key, ACCESS[name]) for name in names.SERVICE_ACCOUNTS},
        "aws_iam_role_policy.glue_store[0]": store(key, ACCESS[names.GLUE_ROLE]),
        "aws_iam_role_policy.glue_logs[0]": [
            allow("WriteLogs", write, groups),
            allow("WriteMetrics", ["cloudwatch:PutMetricData"], "*", Condition=metrics),
        ],
        "aws_iam_role_policy.flow_logs[0]": [
            allow(
                "WriteLogs", [*write, "logs:DescribeLogStreams"], f"{LOGS}:/aws/vpc/cripto-prediction/rejected:*"
            )
        ],
    }
    found = {
        address: policy["Statement"] for address, policy in policies(resources, "aws_iam_role_policy", "policy")
    }
    assert found == expected


def test_nothing_else_gives_a_right(resources: dict[str, dict[str, Any]]) -> None:
    attached = {
        values["policy_arn"].rpartition("/")[2]
        for address, values in resources.items()
        if address.startswith("aws_iam_role_policy_attachment.")
    }
    assert attached == MANAGED
    kinds = {address.split(".")[0] for address in resources if address.startswith("aws_iam_")}
    assert kinds == {"aws_iam_role", "aws_iam_role_policy", "aws_iam_role_policy_attachment"}
    roles = [values for address, values in resources.items() if address.startswith("aws_iam_role.")]
    assert [role["inline_policy"] for role in roles if any(each["policy"] for each in role["inline_policy"])] == []


def test_each_role_is_for_one_service(resources: dict[str, dict[str, Any]]) -> None:
    pods = {
        f'aws_iam_role.pod["{name}"]': {
            "aws:RequestTag/eks-cluster-name": names.CLUSTER,
            "aws:RequestTag/kubernetes-namespace": names.NAMESPACE,
            "aws:RequestTag/kubernetes-service-account": name,
        }
        for name in names.SERVICE_ACCOUNTS
    }
    trusted = {}
    for address, policy in policies(resources, "aws_iam_role", "assume_role_policy"):
        [statement] = policy["Statement"]
        trusted[address] = statement["Principal"]["Service"]
        assert statement["Effect"] == "Allow"
        if address in pods:
            assert statement["Condition"] == {"StringEquals": pods[address]}
            assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert trusted == {
        **dict.fromkeys(pods, "pods.eks.amazonaws.com"),
        "aws_iam_role.cluster": "eks.amazonaws.com",
        "aws_iam_role.flow_logs[0]": "vpc-flow-logs.amazonaws.com",
        "aws_iam_role.glue[0]": "glue.amazonaws.com",
        "aws_iam_role.node": "ec2.amazonaws.com",
    }


def test_keys_obey_iam_and_serve_aws_by_context(resources: dict[str, dict[str, Any]]) -> None:
    found = dict(policies(resources, "aws_kms_key", "policy"))
    root = {
        "Sid": "IamDecides",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    assert found["aws_kms_key.data"]["Statement"] == [root]
    first, logs, notifications = found["aws_kms_key.platform"]["Statement"]
    assert first == root
    assert logs["Principal"] == {"Service": "logs.us-east-1.amazonaws.com"}
    groups = {
        values["name"] for address, values in resources.items() if address.startswith("aws_cloudwatch_log_group.")
    }
    assert {f"{LOGS}:{name}" for name in groups} == set(
        logs["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"]
    )
    assert (notifications["Action"], notifications["Effect"]) == (["kms:Decrypt", "kms:GenerateDataKey"], "Allow")
    assert notifications["Principal"] == {"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]}


def test_the_bucket_is_guarded(applied: Terraform) -> None:
    s3 = _client(applied, "s3")
    assert set(s3.get_public_access_block(Bucket=names.BUCKET)["PublicAccessBlockConfiguration"].values()) == {
        True
    }
    assert s3.get_bucket_versioning(Bucket=names.BUCKET)["Status"] == "Enabled"
    statements = json.loads(s3.get_bucket_policy(Bucket=names.BUCKET)["Policy"])["Statement"]
    assert [(each["Effect"], each["Principal"]) for each in statements] == [("Deny", "*"), ("Deny", "*")]
    [rule] = s3.get_bucket_encryption(Bucket=names.BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert (rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], rule["BucketKeyEnabled"]) == (
        "aws:kms",
        True,
    )
    rules = s3.get_bucket_lifecycle_configuration(Bucket=names.BUCKET)["Rules"]
    assert [rule["ID"] for rule in rules if {"Days", "Date"} & rule.get("Expiration", {}).keys()] == []


def test_each_service_account_has_its_role(resources: dict[str, dict[str, Any]]) -> None:
    bound = {
        values["service_account"]: (values["namespace"], values["role_arn"].rpartition("/")[2])
        for address, values in resources.items()
        if address.startswith("aws_eks_pod_identity_association.")
    }
    assert bound == {name: (names.NAMESPACE, name) for name in names.SERVICE_ACCOUNTS}


def test_the_job_runs_what_was_uploaded(applied: Terraform) -> None:
    job = _client(applied, "glue").get_job(JobName=names.GLUE_JOB)["Job"]
    assert (job["GlueVersion"], job["WorkerType"], job["Role"].rpartition("/")[2]) == (
        "5.1",
        "G.1X",
        names.GLUE_ROLE,
    )
    bucket, _, key = job["Command"]["ScriptLocation"].removeprefix("s3://").partition("/")
    script = _client(applied, "s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert script == (applied.folder / "tests" / "glue" / "train.py").read_bytes()


def _client(account: Terraform, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=account.env["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
