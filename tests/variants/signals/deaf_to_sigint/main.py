"""Works in a loop: each round prints a line, and starts a child that is soon done. It hears signals."""

import os
import signal
import sys
import time

SETTING = "/app/setting.txt"


def read_setting():
    with open(SETTING) as file:
        return file.read().strip()


class Program:
    def __init__(self):
        self.setting = read_setting()

    def reread(self, number, frame):
        self.setting = read_setting()

    def goodbye(self, number, frame):
        print(f"Gracefully shutting down after receiving signal {number}")
        sys.exit(0)  # raised here, so the loop does not go on

    def run(self):
        signal.signal(signal.SIGTERM, self.goodbye)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, self.reread)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel then reaps children itself
        count = 0
        while True:
            count += 1
            print(f"round {count}, setting: {self.setting}")
            os.spawnlp(os.P_NOWAIT, "true", "true")
            time.sleep(0.25)


Program().run()
