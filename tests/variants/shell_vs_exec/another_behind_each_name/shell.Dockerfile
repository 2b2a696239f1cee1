FROM python:3.11-slim
COPY greeter pretend.py /usr/local/bin/
ENV GREETING=hello
ENTRYPOINT ["bash", "-c", "exec -a /usr/local/bin/sh python3 -c \"$(cat /usr/local/bin/pretend.py)\""]
