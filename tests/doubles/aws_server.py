"""An AWS account on 127.0.0.1: moto, with those parts of EKS that moto lacks and bucket policies it would misread.

``python -m tests.doubles.aws_server`` prints its URL and serves until it is ended. A process of its own: moto
keeps one account for each process, and loads AWS's managed policies only where the environment says so from the
start.
"""

import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["aws_server"]

ACCOUNT = "123456789012"
_REGION = "us-east-1"
_Answer = tuple[int, dict[str, Any]]


@contextmanager
def aws_server() -> Iterator[str]:
    """Run the server; its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.doubles.aws_server"],
        env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), url
        yield url
    finally:
        process.kill()
        process.communicate()


class Eks:
    """Clusters, and what hangs on them: add-ons, access entries with their policies, Pod Identity associations.

    Everything is there at once, and what was asked for comes back with what AWS adds. Refuses what AWS refuses of
    Auto Mode, and whatever hangs on a cluster that is not there.
    """

    def __init__(self) -> None:
        self._clusters: dict[str, dict[str, Any]] = {}
        self._hanging: dict[tuple[str, ...], dict[str, Any]] = {}

    def answer(self, method: str, path: tuple[str, ...], asked: dict[str, Any]) -> _Answer:
        """Answer ``method`` on the parts of ``path``, ``("clusters", ...)``; status and JSON."""
        match (method, *path):
            case ("POST", "clusters"):
                return self._create(asked)
            case ("GET" | "DELETE", "clusters", name) if name in self._clusters:
                held = self._clusters.pop(name) if method == "DELETE" else self._clusters[name]
                return 200, {"cluster": {**held, "status": "DELETING" if method == "DELETE" else "ACTIVE"}}
            case (_, "clusters", name, *rest) if name in self._clusters and rest:
                return self._hang(method, name, tuple(rest), asked)
        return 404, {"__type": "ResourceNotFoundException", "message": f"nothing at {'/'.join(path)}"}

    def _create(self, asked: dict[str, Any]) -> _Answer:
        auto = {
            asked.get("computeConfig", {}).get("enabled", False),
            asked.get("storageConfig", {}).get("blockStorage", {}).get("enabled", False),
            asked.get("kubernetesNetworkConfig", {}).get("elasticLoadBalancing", {}).get("enabled", False),
        }
        if len(auto) > 1 or (auto == {True} and asked.get("bootstrapSelfManagedAddons") is not False):
            return 400, {"__type": "InvalidParameterException", "message": "Auto Mode is all or nothing"}
        if asked["name"] in self._clusters:
            return 409, {"__type": "ResourceInUseException", "message": "the cluster exists"}
        network = {
            "serviceIpv4Cidr": "172.20.0.0/16",
            "ipFamily": "ipv4",
            **asked.get("kubernetesNetworkConfig", {}),
        }
        vpc = {"clusterSecurityGroupId": "sg-0c1", "vpcId": "vpc-0c1", **asked["resourcesVpcConfig"]}
        self._clusters[asked["name"]] = {
            **asked,
            "arn": f"arn:aws:eks:{_REGION}:{ACCOUNT}:cluster/{asked['name']}",
            "certificateAuthority": {"data": "LS0t"},
            "createdAt": time.time(),
            "endpoint": f"https://0C1.gr7.{_REGION}.eks.amazonaws.com",
            "identity": {"oidc": {"issuer": f"https://oidc.eks.{_REGION}.amazonaws.com/id/0C1"}},
            "kubernetesNetworkConfig": network,
            "platformVersion": "eks.1",
            "resourcesVpcConfig": {**vpc, "publicAccessCidrs": vpc.get("publicAccessCidrs") or ["0.0.0.0/0"]},
            "status": "ACTIVE",
        }
        return 200, {"cluster": self._clusters[asked["name"]]}

    def _hang(self, method: str, cluster: str, rest: tuple[str, ...], asked: dict[str, Any]) -> _Answer:
        kinds = {
            "addons": ("addon", "addonName"),
            "access-entries": ("accessEntry", "principalArn"),
            "pod-identity-associations": ("association", "associationId"),
            "access-policies": ("associatedAccessPolicy", "policyArn"),
        }
        now = time.time()
        kind, name = kinds[rest[-1] if len(rest) % 2 else rest[-2]]
        if method == "POST":
            made = {
                "associationId": f"a-{uuid.uuid4().hex[:17]}",
                **asked,
                "clusterName": cluster,
                "status": "ACTIVE",
            }
            made |= {"createdAt": now, "modifiedAt": now, "associatedAt": now}
            made |= {f"{kind}Arn": f"arn:aws:eks:{_REGION}:{ACCOUNT}:{'/'.join((cluster, *rest))}/{made[name]}"}
            self._hanging[(cluster, *rest, made[name])] = made
            return 200, {kind: made}
        if len(rest) % 2:
            found = [held for key, held in self._hanging.items() if key[:-1] == (cluster, *rest)]
            plural = {"associatedAccessPolicy": "associatedAccessPolicies"}.get(kind, f"{kind}s")
            return 200, {plural: found}
        key = (cluster, *rest)
        if key not in self._hanging:
            return 404, {"__type": "ResourceNotFoundException", "message": f"no {kind} {rest[-1]}"}
        return 200, {kind: self._hanging.pop(key) if method == "DELETE" else self._hanging[key]}


class Front:
    """The WSGI application: EKS and bucket policies are answered here, all else by moto.

    moto enforces bucket policies without their conditions: "TLS only" would lock everybody out.
    """

    def __init__(self, moto: Callable[..., Iterable[bytes]]) -> None:
        self._moto = moto
        self._eks = Eks()
        self._policies: dict[str, bytes] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        url = urlsplit(environ.get("RAW_URI") or environ["PATH_INFO"])
        method = environ["REQUEST_METHOD"]
        signed_for = re.search(r"/([a-z0-9-]+)/aws4_request", environ.get("HTTP_AUTHORIZATION", ""))
        service = signed_for[1] if signed_for else ""
        if service == "eks" and url.path.startswith("/clusters"):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            parts = tuple(unquote(part) for part in url.path.strip("/").split("/"))
            status, answer = self._eks.answer(method, parts, json.loads(body or b"{}"))
            headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", answer.get("__type", ""))]
            start_response(f"{status} -", headers)
            return [json.dumps(answer).encode()]
        if service == "s3" and "policy" in dict(parse_qsl(url.query, keep_blank_values=True)):
            return self._policy(method, url.path.strip("/"), environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
            # what moto does not know it answers with 5xx, which every client tries again for minutes
            return start_response("400 not known to moto" if status.startswith("5") else status, headers, error)

        return self._moto(environ, start)

    def _policy(
        self, method: str, bucket: str, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if method == "PUT":
            self._policies[bucket] = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        if method == "DELETE":
            self._policies.pop(bucket, None)
        if method == "GET" and bucket in self._policies:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [self._policies[bucket]]
        if method == "GET":
            start_response("404 Not Found", [("Content-Type", "application/xml")])
            return [b"<Error><Code>NoSuchBucketPolicy</Code><Message>there is none</Message></Error>"]
        start_response("204 No Content", [])
        return []


def main() -> None:
    """Serve on a free port."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, Front(DomainDispatcherApplication(create_backend_app)), threaded=True)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
