# shellcheck shell=bash
# What each step begins with. All of it can be given by environment variables, and has a default:
#   PYTHON       of the environment with TFX (default: that in .venv, or in the course's)
#   COURSE       folder of the course, whose packages run and serve this one (default: course)
#   PACKAGE      of the project (default: the one in src that has a cli.py)
#   SAMPLE_ROOT  data of the checks; DATA_ROOT  data of training; OUTPUT_ROOT  of what is in service (defaults: the project's)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
COURSE=${COURSE:-course}
if [ -z "${PYTHON:-}" ]; then
    PYTHON=.venv/bin/python
    [ -x "$PYTHON" ] || PYTHON=$COURSE/.venv/bin/python
fi
if [ -z "${PACKAGE:-}" ]; then
    found=(src/*/cli.py)
    if [ ${#found[@]} != 1 ] || [ ! -f "${found[0]}" ]; then
        echo "src has not one package with a cli.py, but: ${found[*]}. Set PACKAGE." >&2
        exit 1
    fi
    PACKAGE=$(basename "$(dirname "${found[0]}")")
fi
# The code of this tree, whatever is installed.
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}"
project() { "$PYTHON" -m "$PACKAGE.cli" "$@"; }
