"""Sends CloudEvents made by their SDK, in each of the ways that HTTP has for them, and prints each answer as a line of JSON.

usage: send.py ADDRESS TOKEN METRIC
"""

import json
import sys
from datetime import datetime, timezone

import requests
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

ADDRESS, TOKEN, METRIC = sys.argv[1:]


def event(name, number, data):
    attributes = {
        "id": f'{number} "é"',
        "source": "https://shop.example/checkout",
        "type": f"dev.broadside.{name}",
        "specversion": "1.0",
        "time": datetime.now(timezone.utc),
        "datacontenttype": "application/json",
    }
    return CloudEvent(attributes, {"token": TOKEN, **data})


def send(headers, body):
    answer = requests.post(f"{ADDRESS}/v1/events", data=body, headers=headers, timeout=10)
    print(json.dumps({"status": answer.status_code, "body": answer.json()}), flush=True)


shown = event("exposure", 1, {})
acted = event("reward", 2, {"metric": METRIC})
for message in [to_binary_event(shown), to_structured_event(shown), to_structured_event(acted), to_binary_event(acted)]:
    send(message.headers, message.body)
batch = [json.loads(to_structured_event(it).body) for it in [shown, acted, event("opened", 3, {})]]
send({"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}, json.dumps(batch))
