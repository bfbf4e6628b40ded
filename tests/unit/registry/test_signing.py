import base64
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from cripto.errors import InvalidInput
from cripto.registry import ANYONE, PublicKey, Signature, SigningKey, Trust, read_public_keys
from cripto.registry.signing import MOST_SIGNATURES, signatures_from_json, signatures_to_json
from tests.doubles.keys import OURS, THEIRS, key

RFC_SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
RFC_PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
DATA = b"some bytes"


def private_pem(
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> str:
    return private.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


def public_pem(private: ec.EllipticCurvePrivateKey) -> str:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_the_public_key_is_that_of_the_rfc() -> None:
    head = bytes.fromhex("302e020100300506032b657004220420")
    body = base64.b64encode(head + bytes.fromhex(RFC_SEED)).decode()
    signer = SigningKey.from_pem(f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----")
    assert signer.public.raw == bytes.fromhex(RFC_PUBLIC)  # RFC 8032, 7.1, test 1
    assert signer.public.key_id == "21fe31dfa154a261"  # sha256 of those 32 bytes, begun


def test_a_key_is_read_back_as_it_was_written() -> None:
    signer = SigningKey.generate()
    assert SigningKey.from_pem(signer.to_pem()) == signer
    assert PublicKey.from_pem(signer.public.to_pem()) == signer.public
    assert signer != SigningKey.generate()


def test_a_key_is_read_with_the_line_ends_of_an_env_file_and_between_other_text() -> None:
    for pem in (
        OURS.to_pem().replace("\n", "\\n"),
        OURS.to_pem().replace("\n", "\r\n"),
        f"# ours\n{OURS.to_pem()}",
    ):
        assert SigningKey.from_pem(pem) == OURS
    assert PublicKey.from_pem(OURS.public.to_pem().strip().replace("\n", "\\n")) == OURS.public


def test_a_secret_is_never_shown() -> None:
    assert repr(OURS) == f"SigningKey({OURS.public.key_id})"
    assert f"{OURS}" == repr(OURS)
    assert repr([OURS.public]) == f"[PublicKey({OURS.public.key_id})]"


def test_the_same_key_signs_the_same_data_alike() -> None:
    assert OURS.sign("cripto test", DATA) == SigningKey.from_pem(OURS.to_pem()).sign("cripto test", DATA)


def test_a_signature_holds_for_its_key_purpose_and_data_alone() -> None:
    signature = OURS.sign("cripto test", DATA)
    assert OURS.public.verifies("cripto test", DATA, signature)
    assert not THEIRS.public.verifies("cripto test", DATA, signature)
    assert not OURS.public.verifies("cripto tes", b"t" + DATA, signature)
    assert not OURS.public.verifies("cripto test", DATA + b"\0", signature)
    assert not OURS.public.verifies("cripto test", DATA, Signature(signature.key_id, signature.value[:-1]))


MALFORMED = ["", "no key", "-----BEGIN ", OURS.to_pem()[:-20], OURS.public.to_pem()[:-20]]
OTHERS = {
    "encrypted": (
        private_pem(ed25519.Ed25519PrivateKey.generate(), encryption=BestAvailableEncryption(b"x")),
        "encrypted",
    ),
    "a curve": (private_pem(ec.generate_private_key(ec.SECP256R1())), "not an Ed25519 key"),
    "OpenSSL's own form": (
        private_pem(ec.generate_private_key(ec.SECP256R1()), PrivateFormat.TraditionalOpenSSL),
        "EC PRIVATE KEY is not",
    ),
    "OpenSSH's own form": (
        private_pem(ed25519.Ed25519PrivateKey.generate(), PrivateFormat.OpenSSH),
        "OPENSSH PRIVATE KEY is not",
    ),
    "public": (OURS.public.to_pem(), "public key, where the private one"),
    "two": (OURS.to_pem() + THEIRS.to_pem(), "2 keys"),
    "rubbish": ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "cannot be|can be read"),
}


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_pem_is_no_key(text: str) -> None:
    with pytest.raises(InvalidInput):
        SigningKey.from_pem(text)
    with pytest.raises(InvalidInput):
        read_public_keys(text)


@pytest.mark.parametrize("which", OTHERS)
def test_what_is_no_private_ed25519_key_is_refused_and_never_quoted(which: str) -> None:
    text, reason = OTHERS[which]
    with pytest.raises(InvalidInput, match=reason) as caught:
        SigningKey.from_pem(text)
    assert not any(line in str(caught.value) for line in text.splitlines() if not line.startswith("-"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (OURS.to_pem(), "private key, where public"),
        (OURS.public.to_pem() + THEIRS.to_pem(), "private key, where public"),
        (public_pem(ec.generate_private_key(ec.SECP256R1())), "not an Ed25519 key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "cannot be read"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "CERTIFICATE is not"),
        (OURS.public.to_pem() + THEIRS.public.to_pem()[:-30], "cut off"),
    ],
    ids=["private", "one private", "a curve", "rubbish", "a certificate", "one cut off"],
)
def test_what_are_no_public_ed25519_keys_are_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        read_public_keys(text)


def test_several_public_keys_are_read_in_order_and_each_once() -> None:
    text = "\n".join(signer.public.to_pem() for signer in (OURS, THEIRS, OURS))
    assert read_public_keys(text) == (OURS.public, THEIRS.public)
    with pytest.raises(InvalidInput, match="2 public keys"):
        PublicKey.from_pem(text)


def signatures(*signers: SigningKey, data: bytes = DATA) -> tuple[Signature, ...]:
    return tuple(signer.sign("cripto test", data) for signer in signers)


BOTH = Trust((OURS.public, THEIRS.public), required=True)


def test_the_first_trusted_key_that_signed_is_named() -> None:
    assert BOTH.check("cripto test", DATA, signatures(key(3), THEIRS, OURS)) == THEIRS.public.key_id


@pytest.mark.parametrize("required", [True, False])
def test_one_invalid_signature_of_a_trusted_key_is_enough_to_refuse(required: bool) -> None:
    trust = Trust((OURS.public, THEIRS.public), required)
    mixed = (*signatures(OURS), *signatures(THEIRS, data=b"other bytes"))
    with pytest.raises(InvalidInput, match=f"its signature by {THEIRS.public.key_id} is not valid"):
        trust.check("cripto test", DATA, mixed)


@pytest.mark.parametrize("required", [True, False])
def test_a_signature_that_claims_a_key_it_was_not_made_by_is_refused(required: bool) -> None:
    forged = Signature(OURS.public.key_id, THEIRS.sign("cripto test", DATA).value)
    with pytest.raises(InvalidInput, match="is not valid"):
        Trust((OURS.public,), required).check("cripto test", DATA, [forged])


def test_where_a_signature_is_required_there_must_be_one_by_a_trusted_key() -> None:
    trust = Trust((OURS.public,), required=True)
    with pytest.raises(InvalidInput, match="it is not signed"):
        trust.check("cripto test", DATA, [])
    with pytest.raises(InvalidInput, match=f"signed by {THEIRS.public.key_id}, none of which is trusted here"):
        trust.check("cripto test", DATA, signatures(THEIRS))


def test_where_none_is_required_unsigned_and_foreign_pass_and_are_signed_by_nobody() -> None:
    trust = Trust((OURS.public,))
    assert trust.check("cripto test", DATA, []) is None
    assert trust.check("cripto test", DATA, signatures(THEIRS)) is None
    assert ANYONE.check("cripto test", DATA, signatures(THEIRS)) is None


def test_a_signature_nobody_can_give_cannot_be_required() -> None:
    with pytest.raises(InvalidInput, match="no key is trusted"):
        Trust(required=True)


def test_signatures_are_read_back_as_they_were_written() -> None:
    made = signatures(OURS, THEIRS)
    assert signatures_from_json(signatures_to_json(made)) == made
    assert signatures_from_json([]) == ()


GOOD = signatures_to_json(signatures(OURS))[0]


@pytest.mark.parametrize(
    "items",
    [
        None,
        {},
        "ed25519",
        [None],
        [GOOD, GOOD],
        [GOOD | {"algorithm": "rsa"}],
        [GOOD | {"key_id": "../../../x"}],
        [GOOD | {"key_id": GOOD["key_id"].upper()}],
        [GOOD | {"key_id": 7}],
        [GOOD | {"signature": "AAAA"}],
        [GOOD | {"signature": GOOD["signature"] + "\n"}],
        [GOOD | {"signature": "\u00e9"}],
        [GOOD | {"signature": None}],
        [{"algorithm": "ed25519"}],
        [GOOD | {"key_id": f"{number:016x}"} for number in range(MOST_SIGNATURES + 1)],
    ],
)
def test_malformed_signatures_are_refused(items: object) -> None:
    with pytest.raises(InvalidInput):
        signatures_from_json(items)


def test_more_signatures_than_are_read_are_never_written() -> None:
    with pytest.raises(InvalidInput, match="more than 16"):
        signatures_to_json(signatures(*map(key, range(MOST_SIGNATURES + 1))))


def test_the_room_and_the_conversion_child_import_no_cryptography() -> None:
    code = (
        "import sys, cripto.registry, cripto.registry.convert.child.gate\n"
        "print(sorted({'cryptography', 'obstore', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
