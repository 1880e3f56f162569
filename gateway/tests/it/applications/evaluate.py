"""Evaluates a flag with OpenFeature's SDK and prints what an application gets, a line of JSON for each case.

usage: evaluate.py ADDRESS, with a context on each line of the standard input: [key, targeting key or null, attributes]
"""

import json
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

DEFAULT = {"headline": "Our own default"}

api.set_provider(OFREPProvider(sys.argv[1]))
client = api.get_client()
for line in sys.stdin:
    key, subject, attributes = json.loads(line)
    details = client.get_object_details(key, DEFAULT, EvaluationContext(subject, attributes))
    print(json.dumps({
        "value": details.value,
        "variant": details.variant,
        "reason": details.reason,
        "error": details.error_code,
        "metadata": dict(details.flag_metadata),
    }), flush=True)
