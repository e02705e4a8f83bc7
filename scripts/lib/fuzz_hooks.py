"""What the schema-driven fuzz run knows that the schema does not say. Loaded by schemathesis, see scripts/lib/fuzz_api."""

import json
import os
import urllib.request
import zlib

import schemathesis

URL = os.environ["COUNTERSIGN_FUZZ_URL"]
PASSWORD = os.environ["COUNTERSIGN_FUZZ_PASSWORD"]


def log_in():
    """A new access token of the made-up user."""
    body = {"type": "m.login.password", "user": "alice", "password": PASSWORD}
    request = urllib.request.Request(f"{URL}/client/v3/login", json.dumps(body).encode())
    with urllib.request.urlopen(request) as response:
        return json.load(response)["access_token"]


class Login:
    """Sends an access token."""

    def get(self, case, context):
        return log_in()

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


# A logout takes its token along, so that each has one of its own.
schemathesis.auth(refresh_interval=None).apply_to(path_regex=r"/logout(/all)?$")(Login)


@schemathesis.auth(refresh_interval=100_000).skip_for(path_regex=r"/logout(/all)?$")
class OneLogin(Login):
    """The same token all along."""


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
    }
    plain = (str, int, dict)
    body = {key: sense.get(key, value) if isinstance(value, plain) else value for key, value in body.items()}
    if isinstance(body.get("auth"), dict):
        # The user is needed until the end.
        password = "wrong" if context.operation.path.endswith("/deactivate") else PASSWORD
        body["auth"] = auth_of(body["auth"], password, number)
    return body


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
