"""What the schema-driven fuzz run knows that the schema does not say. Loaded by schemathesis, see scripts/lib/fuzz_api."""

import json
import os
import re
import urllib.request
import zlib

import schemathesis

URL = os.environ["COUNTERSIGN_FUZZ_URL"]
PASSWORD = os.environ["COUNTERSIGN_FUZZ_PASSWORD"]


def post(path, body, token=None):
    """What a node answers."""
    request = urllib.request.Request(f"{URL}{path}", json.dumps(body).encode())
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def log_in():
    """A new access token of the made-up user."""
    return post("/client/v3/login", {"type": "m.login.password", "user": "alice", "password": PASSWORD})["access_token"]


def register_with_identity_service():
    """A new access token of the same user at the identity service."""
    openid_token = post("/client/v3/user/@alice:localhost/openid/request_token", {}, log_in())
    return post("/identity/v2/account/register", openid_token)["token"]


class Login:
    """Sends an access token of the API that is asked."""

    def get(self, case, context):
        if case.operation.path.startswith("/identity/"):
            return register_with_identity_service()
        return log_in()

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


# A logout takes its token along, so that each has one of its own.
schemathesis.auth(refresh_interval=None).apply_to(path_regex=r"/logout(/all)?$")(Login)


# Elsewhere it is the same all along: one for each API.
@schemathesis.auth(refresh_interval=100_000).skip_for(path_regex=r"^/identity/|/logout(/all)?$")
class OneLogin(Login):
    """An access token of the node."""


@schemathesis.auth(refresh_interval=100_000).apply_to(path_regex=r"^/identity/").skip_for(path_regex=r"/logout$")
class OneIdentityLogin(Login):
    """An access token of the identity service."""


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Lets a 401 be about the access token too, where the schema knows it as a step of an authentication only.

    The prose says so for every endpoint that takes one:
    https://spec.matrix.org/v1.19/client-server-api/#using-access-tokens
    """
    token_error = {
        "type": "object",
        "required": ["errcode", "error"],
        "properties": {"errcode": {"enum": ["M_MISSING_TOKEN", "M_UNKNOWN_TOKEN"]}, "error": {"type": "string"}},
    }
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            if "security" in operation and "401" in operation["responses"]:
                content = operation["responses"]["401"]["content"]["application/json"]
                content["schema"] = {"anyOf": [content["schema"], token_error]}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Names a user who is there in half of the cases."""
    if path_parameters and "userId" in path_parameters and len(str(path_parameters["userId"])) % 2 == 0:
        return {**path_parameters, "userId": "@alice:localhost"}
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    """Puts sense into some of the bodies, so that what lies behind the first checks is tried too."""
    if not isinstance(body, dict):
        return body
    number = zlib.crc32(json.dumps(body, sort_keys=True, default=repr).encode())
    if number % 3 == 0:
        return body
    sense = {
        "email": f"someone{number % 50}@example.org",
        "country": "GB",
        "phone_number": f"07700 900{number % 1000:03}",
        "next_link": "https://example.org/next?x=1#y",
        "client_secret": f"secret{number % 7}",
        "send_attempt": number % 5,
        "medium": ["email", "msisdn"][number % 2],
        "address": f"someone{number % 50}@example.org",
        "username": f"user{number}",
        "password": PASSWORD,
        "new_password": PASSWORD,
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "alice"},
        "device_id": f"DEVICE{number % 9}",
        "mxid": "@alice:localhost",
        "sender": "@alice:localhost",
        "room_id": "!room:example.org",
        "algorithm": "sha256",
    }
    plain = (str, int, dict)
    body = {key: sense.get(key, value) if isinstance(value, plain) else value for key, value in body.items()}
    if isinstance(body.get("auth"), dict):
        # The user is needed until the end.
        password = "wrong" if context.operation.path.endswith("/deactivate") else PASSWORD
        body["auth"] = auth_of(body["auth"], password, number)
    return body


@schemathesis.hook
def before_call(context, case, kwargs):
    """Names this server wherever another one is named: what the network does is nothing that a client did, and a 502."""
    if isinstance(case.body, dict):
        for key in ("id_server", "matrix_server_name"):
            if isinstance(case.body.get(key), str) and re.fullmatch(r"[\w.:\[\]-]+", case.body[key]):
                case.body[key] = "localhost"


def auth_of(auth, password, number):
    """An authentication that some endpoint takes."""
    stages = [
        {"type": "m.login.dummy"},
        {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": password},
        {"type": "m.login.email.identity", "threepid_creds": {"sid": "unknown", "client_secret": "secret1"}},
        {"type": "m.login.registration_token", "token": "unknown"},
        auth,
    ]
    return stages[number % len(stages)]
