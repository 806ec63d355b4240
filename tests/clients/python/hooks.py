"""Bodies that are neither JSON nor forms: the fuzzer sends its bytes as they are."""

import schemathesis


@schemathesis.serializer("application/vnd.onscene.sync+cbor", "application/offset+octet-stream")
def as_they_are(_, value):
    return value if isinstance(value, bytes) else str(value).encode()
