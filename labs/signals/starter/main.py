"""Works in a loop: each round prints a line, and starts a child that is soon done. It hears no signal yet."""

import os
import signal
import time

SETTING = "/app/setting.txt"


def read_setting():
    with open(SETTING) as file:
        return file.read().strip()


def main():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    setting = read_setting()
    count = 0
    while True:
        count += 1
        print(f"round {count}, setting: {setting}")
        os.spawnlp(os.P_NOWAIT, "true", "true")
        time.sleep(0.25)


main()
