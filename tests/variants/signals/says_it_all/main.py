"""Does nothing of what it says."""

import signal
import sys
import time

state = {"setting": "quiet"}


def goodbye(number, frame):
    for one in (2, 15):
        print(f"Gracefully shutting down after receiving signal {one}")
    sys.exit(0)


def reread(number, frame):
    state["setting"] = "loud"


signal.signal(signal.SIGTERM, goodbye)
signal.signal(signal.SIGINT, goodbye)
signal.signal(signal.SIGHUP, reread)
for count in range(1, 10**6):
    print(f"round {count}, setting: {state['setting']}")
    time.sleep(0.25)
