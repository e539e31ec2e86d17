#!/usr/bin/env bash
# Runs a command with a Docker engine: the one that answers, or else, for root, one that is started for it and stopped after it.
#
#   deploy/image/engine.sh make test
#
# The engine that it starts leaves the machine's network as it is: no bridge, no rules of a firewall. Its containers are on the machine's
# network or on none. Where none can be started, it says so and runs the command without.
set -uo pipefail
answers() { timeout 20 docker info >/dev/null 2>&1; }

if ! answers; then
    if [ "$(id -u)" != 0 ] || ! command -v dockerd >/dev/null; then
        echo "No Docker engine: what needs one is left out. (Root can start one after: apt-get install docker.io)" >&2
    else
        log=$(mktemp /tmp/dockerd.XXXXXX.log)
        # A session of its own: Ctrl-C is for the command, and the engine is stopped after it.
        setsid dockerd --iptables=false --ip6tables=false --bridge=none >"$log" 2>&1 </dev/null &
        engine=$!
        trap 'kill "$engine" 2>/dev/null && wait "$engine"' EXIT
        for _ in $(seq 60); do
            if answers || ! kill -0 "$engine" 2>/dev/null; then break; fi
            sleep 0.5
        done
        if answers; then
            echo "A Docker engine was started for this command (log: $log)." >&2
        else
            echo "A Docker engine could not be started (log: $log): what needs one is left out. Its last words:" >&2
            tail -n 3 "$log" >&2
        fi
    fi
fi
"$@"
