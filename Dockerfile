# One image for every process: docker run IMAGE web, worker, sweep, migrate, sandbox, log verify, ...
FROM python:3.11.13-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# Every part is checked against the hash in the lock file; nothing is built from source.
COPY requirements.lock /tmp/requirements.lock
RUN pip install --require-hashes --only-binary :all: -r /tmp/requirements.lock && rm /tmp/requirements.lock

# The app finds templates, static files, migrations and configuration beside its code, so it runs from its own folder
# and is not installed as a package.
WORKDIR /srv/countersign
COPY app app
COPY launch launch
COPY vendors vendors
COPY sandbox sandbox
COPY templates templates
COPY static static
COPY migrations migrations
COPY smart-config smart-config
RUN python -m compileall -q app launch vendors sandbox

# Nothing under /srv/countersign is writable to the user that runs it.
RUN useradd --system --uid 10001 --home-dir /var/lib/countersign countersign \
    && install -d -m 0700 -o countersign -g countersign /var/lib/countersign /var/lib/sandbox
ENV COUNTERSIGN_HOME=/var/lib/countersign
USER 10001

EXPOSE 8410
ENTRYPOINT ["python", "-m", "app.cli"]
CMD ["--help"]
