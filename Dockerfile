# syntax=docker/dockerfile:1
# The school in one process. Stage one makes the environment from the hashed lock, exactly as `python3 run.py` does anywhere
# else; stage two takes it over without pip's traces. Runs as nobody in particular, on a read-only root if you like: only
# /data (the embedded store; unused with MONGODB_URL) is written.

FROM python:3.11-slim AS made
WORKDIR /app
COPY run.py requirements.lock ./
COPY config ./config
RUN python run.py check > /dev/null
COPY LICENSE ./
COPY documents ./documents
COPY handlers ./handlers
COPY lms_rt ./lms_rt
COPY workers ./workers
RUN .venv/bin/python -m compileall -q config documents handlers lms_rt workers

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin lms \
    && install --directory --owner=lms --mode=700 /data
COPY --from=made /app /app
WORKDIR /app
ENV HTTP_HOST=0.0.0.0 \
    HTTP_PORT=8000 \
    LMS_DATA_DIR=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/data
USER lms
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD [".venv/bin/python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"HTTP_PORT\"]}/health', timeout=2)"]
CMD ["python", "run.py", "serve"]
