#!/usr/bin/env bash
# Puts the page, LiteRT and a pushed model into one folder, which any web server can hand out: build.sh [FOLDER] [options of `flights export`]
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/../.."
folder=${1:-$PWD/out/browser}
case $folder in /*) ;; *) folder=$here/$folder ;; esac
bash deploy/browser/fetch.sh
mkdir -p "$folder"
cp deploy/browser/{index.html,page.js,on-device.js,page.css} "$folder"
rm -rf "$folder/litert"
cp -r .tools/browser/lib "$folder/litert"
"${PYTHON:-.venv/bin/python}" -m flights.cli export --to litert --folder "$folder/model" "${@:2}"
