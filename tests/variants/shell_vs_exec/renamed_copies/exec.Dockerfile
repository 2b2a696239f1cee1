FROM python:3.11-slim
COPY greeter /usr/local/bin/g2
COPY parent.py /usr/local/bin/
CMD ["python", "/usr/local/bin/parent.py"]
