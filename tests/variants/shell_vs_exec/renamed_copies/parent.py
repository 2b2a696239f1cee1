import signal
import subprocess
import sys

child = subprocess.Popen(["g2", "hello"])
signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
sys.exit(child.wait())
