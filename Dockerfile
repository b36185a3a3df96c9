# The app as a service, for processors only. docs/serving.md says how to run it, and with a GPU.
FROM python:3.11-slim AS build

# Other builds of torch: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# First what changes least. torch and torchvision must come from the same place.
RUN pip install --no-cache-dir "torch>=2.6" "torchvision>=0.21" --index-url ${TORCH_INDEX}
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt


FROM python:3.11-slim

RUN useradd --create-home --uid 10001 stam
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY assets assets
COPY stam_core stam_core
COPY app app
COPY app.py .
RUN python -m compileall -q app stam_core

# Weights that visitors have fetched lie in /data, and outlive the container where it is a volume.
RUN mkdir /data && chown stam /data
VOLUME /data
# matplotlib wants a folder to write to; the home folder is none where the container is read-only.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    STAM_CACHE=/data \
    MPLCONFIGDIR=/tmp/matplotlib \
    STAM_LOG=json
USER stam
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/health', timeout=4)"]
# Not through a shell: SIGTERM must reach the program.
CMD ["python", "app.py"]
