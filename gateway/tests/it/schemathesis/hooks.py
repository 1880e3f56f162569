"""What an OpenAPI document can't say: which campaign there is, which token is right, which headers go with which body."""

import itertools
import json
import os
import urllib.request

import schemathesis

PLACE = {"namespace": "shop", "campaign": "cart-and-hero", "placement": "hero"}
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "test", "ce-type": "dev.broadside.exposure"}

turn = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes every other question one about a campaign that there is, and every other token right."""
    kwargs["allow_redirects"] = False
    if not case.meta or not case.meta.generation.mode.is_positive:
        return
    if case.operation.label == "POST /v1/events":
        head(case)
    if next(turn) % 2 == 0:
        known(case)


def head(case):
    """The attributes of a CloudEvent are headers where the body is its data, and nowhere else."""
    is_data = isinstance(case.body, dict) and "token" in case.body and case.media_type == "application/json"
    others = {name: value for name, value in (case.headers or {}).items() if not name.lower().startswith("ce-")}
    case.headers = {**others, **BINARY} if is_data else others


def known(case):
    if case.operation.label == "GET /v1/decide":
        case.query.update(PLACE)
    elif case.operation.label == "POST /v1/decide" and isinstance(case.body, dict):
        case.body.update({name: value for name, value in PLACE.items() if name in case.body and name != "placement"})
        if case.body.get("placement"):
            case.body["placement"] = PLACE["placement"]
    elif case.operation.label == "GET /v1/r/{token}":
        case.path_parameters["token"] = token(case.operation.base_url)
    elif "key" in (case.path_parameters or {}):
        case.path_parameters["key"] = ".".join(PLACE.values())
    elif case.operation.label == "POST /v1/events":
        sign(case.body, case.operation.base_url)


def sign(body, address):
    """Puts a right token wherever there is one."""
    if isinstance(body, list):
        for item in body:
            sign(item, address)
    elif isinstance(body, dict):
        if isinstance(body.get("token"), str):
            body["token"] = token(address)
        for name in ("events", "data"):
            sign(body.get(name), address)


def token(address):
    question = json.dumps({**PLACE, "subject": "alice"}).encode()
    key = {"Authorization": os.environ["AUTHORIZATION"]} if "AUTHORIZATION" in os.environ else {}
    with urllib.request.urlopen(urllib.request.Request(f"{address}/v1/decide", question, key)) as answer:
        return json.load(answer)["token"]
