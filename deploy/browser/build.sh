#!/usr/bin/env bash
# Puts the page and LiteRT into a folder: build.sh FOLDER. With a model in FOLDER/model (`flights export --to litert --folder FOLDER/model`), any
# web server can hand the folder out.
set -euo pipefail
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
bash deploy/browser/fetch.sh
cp deploy/browser/{index.html,page.css,page.js,on-device.js} "$folder"
rm -rf "$folder/litert"
cp -r .tools/browser/lib "$folder/litert"
