import signal
import subprocess
import sys

child = subprocess.Popen(["greeter", "hello"])
signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
sys.exit(child.wait())
