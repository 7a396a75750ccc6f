#!/bin/sh
# Takes out of an image's virtual environment ($1) what no run of this project loads: libraries'
# own tests, headers and stubs, source maps, parts of Arrow that are never imported, installers.
set -eu
packages=$(echo "$1"/lib/python3*/site-packages)
find "$packages" -type d -name tests -prune -exec rm -rf {} +
find "$packages" -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.map' \) -delete
# Arrow Flight and its own S3 client: the history goes through fsspec.
rm -rf "$packages"/pyarrow/include "$packages"/pyarrow/src "$packages"/pyarrow/libarrow_flight* \
  "$packages"/pyarrow/libarrow_python_flight* "$packages"/pyarrow/_flight* \
  "$packages"/pyarrow/libarrow_s3* "$packages"/pyarrow/_s3fs*
# The Kubernetes client's second edition, for asyncio.
rm -rf "$packages"/kubernetes/aio
rm -rf "$packages"/numpy/_core/include "$packages"/numpy/_core/lib
rm -rf "$packages"/pip "$packages"/pip-* "$1"/bin/pip*
