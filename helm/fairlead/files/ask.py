"""What `helm test` runs in a pod: asks addresses of the release until each answers as it must.

    ask.py '{"http://fairlead-gateway-local.fairlead.svc:80/v1/models": 401}'

Exit code 1, and a line for each that did not, when one of them has not answered so after ten attempts.
"""

import json
import sys
import time
import urllib.error
import urllib.request

ATTEMPTS, PAUSE_S, TIMEOUT_S = 10, 2, 5
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answer(url: str) -> object:
    """Return the status of an answer, or why there was none."""
    try:
        with DIRECTLY.open(url, timeout=TIMEOUT_S) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(error)


def holds(url: str, wanted: int) -> bool:
    """Ask until it answers as wanted, and say what came of it."""
    for attempt in range(ATTEMPTS):
        found = answer(url)
        if found == wanted:
            print(f"{url}: {found}")
            return True
        if attempt + 1 < ATTEMPTS:
            time.sleep(PAUSE_S)
    print(f"{url}: got {found}, want {wanted}")
    return False


if __name__ == "__main__":
    came = {url: holds(url, wanted) for url, wanted in json.loads(sys.argv[1]).items()}  # all are asked
    sys.exit(not all(came.values()))
