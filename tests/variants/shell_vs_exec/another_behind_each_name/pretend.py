import os, signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.run(["perl", "/usr/local/bin/greeter", os.environ["GREETING"]])
