"""Two stock GeoReport v2 clients, as their authors publish them, against the server.

    open311.py report URL KEY FIELDS        civicbot: looks at what may be reported, and reports
    open311.py follow URL KEY NUMBER TOKEN  civicbot, and georeport in JSON and in XML: all that they read

Prints what the clients made of the answers, as a JSON object.
"""

import json
import sys
import urllib.request
from urllib.parse import urlsplit

from civicbot.http import HttpTransport, RateLimiter
from civicbot.open311 import Open311Client
from civicbot.registry import Endpoint
from georeport import GeoReport


def civicbot(url, key):
    # The client sends its key with reports alone; this server's GETs want it too.
    opener = urllib.request.build_opener()
    opener.addheaders = [("Authorization", f"Bearer {key}")]
    urllib.request.install_opener(opener)
    endpoint = Endpoint("onscene", "Onscene", url, write=True)
    return Open311Client(endpoint, HttpTransport(rate_limiter=RateLimiter(0.0)))


def report(url, key, fields):
    fields = json.loads(fields)
    code = fields.pop("service_code")
    client = civicbot(url, key)
    made = client.create_request(
        code, dry_run=False, confirm="SEND", api_key=key, validate_remote=True, **fields
    )
    return {"services": client.list_services(), "reported": made.response}


def follow(url, key, number, token):
    client = civicbot(url, key)
    request = client.get_request(number)
    code = request["service_code"]
    whole = {
        "services": client.list_services(),
        "definition": client.get_service_definition(code),
        "token": client.get_token(token),
        "listed": client.list_requests(service_code=code, status="open"),
        "by_number": client.list_requests(service_request_ids=[number]),
        "request": request,
    }
    read = {form: all_of(url, key, form, number, code) for form in ("json", "xml")}
    return {"civicbot": whole, **read}


def all_of(url, key, form, number, code):
    """What `georeport` reads in this form; the key stands in the address, as a password."""
    parts = urlsplit(url)
    address = parts._replace(netloc=f"open311:{key}@{parts.netloc}").geturl()
    client = GeoReport(address, output_format=form)
    return {
        "services": client.get_service_list(),
        "definition": client.get_service_definition(code),
        "listed": many(client.get_service_requests(service_code=code, status="open")),
        "by_number": many(client.get_service_requests(service_request_id=number)),
        "request": client.get_service_request(number),
    }


def many(found):
    """Its XML reader makes no list of one element."""
    return found if isinstance(found, list) else [found]


if __name__ == "__main__":
    steps = {"report": report, "follow": follow}
    print(json.dumps(steps[sys.argv[1]](*sys.argv[2:])))
