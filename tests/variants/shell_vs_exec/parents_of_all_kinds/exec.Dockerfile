FROM python:3.11-slim
COPY greeter parent.py /usr/local/bin/
CMD ["python", "/usr/local/bin/parent.py"]
