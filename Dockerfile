FROM python:3.11-slim

# The user's id on the host, so that what a container writes to a folder of the host belongs to that user.
ARG RELEX_UID
RUN useradd --create-home --no-log-init --non-unique --uid "${RELEX_UID:-1000}" relex

# Dependencies come before sources: a changed line of relex installs relex alone. torch comes first and by itself from
# its own index, so that no other package can come from there; its CPU build is a third of the size of the other one.
ARG RELEX_TORCH_INDEX
WORKDIR /opt/relex
COPY requirements.lock ./
RUN pip install --no-cache-dir --no-deps \
    --index-url "${RELEX_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}" "$(grep '^torch==' requirements.lock)"
COPY pyproject.toml ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb')); \
print(*project['build-system']['requires'], *project['project']['dependencies'], sep='\n')" > dependencies.txt \
    && pip install --no-cache-dir --constraint requirements.lock --requirement dependencies.txt
COPY README.md LICENSE ./
COPY cli cli
COPY migrations migrations
COPY relex relex
COPY worker worker
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

USER relex
WORKDIR /home/relex
# The store is a volume: made here so that it belongs to relex.
RUN mkdir store outputs
ENTRYPOINT ["relex"]
CMD ["--help"]
