"""How schemathesis writes the bodies that it does not know."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(_, value):
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()
