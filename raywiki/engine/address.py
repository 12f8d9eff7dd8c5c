"""Is there a Ray at RAY_ADDRESS that takes us? Asked before Ray is: it waits 20 to 40 seconds for one that is not there."""

from __future__ import annotations

import os
import re
from typing import Any

ANSWER_WITHIN = 5.0  # seconds
CHECK = "/ray.rpc.NodeInfoGcsService/CheckAlive"  # a cheap method of a head
START = "start Ray there (`ray start --head`), or unset RAY_ADDRESS so that raywiki starts its own"
TOKEN = "RAY_AUTH_TOKEN to the token that it was started with (`ray get-auth-token` prints it there)"


def check_address(address: str) -> None:
    """Nothing when a Ray that takes our token, or asks for none, answers at `address`, a value of RAY_ADDRESS.

    Raises:
        ValueError: it is no address of a Ray head, or one through which Ray Data does not run.
        ConnectionError: nothing answers there, or something that is no Ray, or it asks for another token.
    """
    if address.startswith(("http://", "https://")):
        raise ValueError(
            f"RAY_ADDRESS={address} is a dashboard's address, which only `ray job submit` takes: give the head's own, such as"
            " 127.0.0.1:6379, or unset RAY_ADDRESS"
        )
    if address.startswith("ray://"):
        raise ValueError(
            f"RAY_ADDRESS={address} is a Ray Client's address, and Ray Data does not run through one: type the command on a"
            " machine of the cluster with RAY_ADDRESS=auto, or submit it as a job (`ray job submit`)"
        )
    dialled, named = address, f"RAY_ADDRESS={address}"
    if address == "auto":
        dialled = _found()
        named = f"{dialled}, which RAY_ADDRESS=auto found"
    elif "://" in address:
        return  # a scheme of somebody's plug-in for Ray
    if not re.fullmatch(r"(\[[^\]]+\]|[^:/\s]+):\d+", dialled):
        raise ValueError(f"{named} is no address of a Ray head: write it as host:port, such as 127.0.0.1:6379, or unset it")
    _check_answer(named, dialled, _token(named, address == "auto"))


def _found() -> str:
    """Where Ray's "auto" leads: a head on this machine, or what `ray start` left in Ray's folder."""
    from ray._private.services import canonicalize_bootstrap_address

    try:
        return canonicalize_bootstrap_address("auto") or ""
    except ConnectionError:
        raise ConnectionError(
            "RAY_ADDRESS=auto, but no Ray runs on this machine: start it (`ray start --head`), or unset RAY_ADDRESS so that"
            " raywiki starts its own"
        ) from None


def _token(named: str, automatic: bool) -> str | None:
    """The token that Ray will send; None when it sends none."""
    import ray._raylet

    raylet: Any = ray._raylet  # compiled, and without stubs for these
    loader = raylet.AuthenticationTokenLoader.instance()
    there_is_one = loader.has_token(ignore_auth_mode=True)
    if raylet.get_authentication_mode() == raylet.AuthenticationMode.TOKEN:
        if not there_is_one:
            raise ConnectionError(f"RAY_AUTH_MODE=token, but there is no token for Ray at {named}: set {TOKEN}")
    elif not automatic or "RAY_AUTH_MODE" in os.environ:  # with "auto" alone Ray sends a token without being told to
        return None
    return loader.get_raw_token(ignore_auth_mode=True) if there_is_one else None


def _check_answer(named: str, dialled: str, token: str | None) -> None:
    import grpc

    secured = os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")
    code, details = _call(dialled, token)
    if code == grpc.StatusCode.UNAUTHENTICATED:
        if token is None:
            raise ConnectionError(f"Ray at {named} asks for a token: set RAY_AUTH_MODE=token, and {TOKEN}")
        raise ConnectionError(f"Ray at {named} does not take our token: set {TOKEN}")
    if code == grpc.StatusCode.UNIMPLEMENTED:
        raise ConnectionError(
            f"what answers at {named} is no Ray head: a head's is host:6379, unless it was started with another port"
        )
    if code == grpc.StatusCode.DEADLINE_EXCEEDED or (code == grpc.StatusCode.UNAVAILABLE and not secured):
        raise ConnectionError(f"no Ray answers at {named} ({details}): {START}")


def _call(dialled: str, token: str | None) -> tuple[Any, str]:
    """Ask; the status of the answer and, in a few words, why there was none."""
    import grpc

    metadata = [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(dialled, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(CHECK)(b"", timeout=ANSWER_WITHIN, metadata=metadata)
        except grpc.RpcError as error:
            return error.code(), _reason(error.details() or "")
    return None, ""


def _reason(details: str) -> str:
    """gRPC's details in a user's words.

    >>> _reason("failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:9: connect: Connection refused (111)")
    'connection refused'
    """
    signs = {"refused": "connection refused", "resolv": "no such host", "DNS": "no such host", "HTTP/2": "something else does"}
    return next((reason for sign, reason in signs.items() if sign in details), "no answer")
