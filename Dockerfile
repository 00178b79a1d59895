FROM python:3.11-slim

RUN useradd --create-home relex
WORKDIR /opt/relex
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY cli cli
COPY migrations migrations
COPY relex relex
COPY worker worker
RUN pip install --no-cache-dir --constraint requirements.lock .

USER relex
WORKDIR /home/relex
# The store is a volume: made here so that it belongs to relex.
RUN mkdir store outputs
ENTRYPOINT ["relex"]
CMD ["--help"]
